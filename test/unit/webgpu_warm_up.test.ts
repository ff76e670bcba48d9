/** What compiles before a pack is there is what the shipped packs then ask for. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createWebgpuBackend, WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { networkOfOurKind, warmUp } from '../../src/engine/webgpu/warm_up';
import { parsePack } from '../../src/model/pack';
import { installDawn, removeDawn } from '../helpers/dawn';
import { openVariant } from '../helpers/webgpu_suite';

beforeAll(async () => {
  await installDawn();
});
afterAll(removeDawn);

test.each(['face', 'pose'])('%s needs no pipeline that is not there', async (name) => {
  const engine = await openVariant();
  await warmUp(engine);
  const warm = engine.pipelines;
  expect(warm).toBeGreaterThan(5);
  expect(engine.memory).toEqual({ bytes: 0, objects: 0 });
  const model = parsePack(readFileSync(`models/${name}.bitmarks`));
  await engine.compile(model, planGraph(model));
  expect(engine.pipelines).toBe(warm);
  engine.close();
});

test('its network is a graph like any other', () => {
  const { graph, weights } = networkOfOurKind();
  for (const node of graph.nodes) expect(graph.shapes.get(node.output)).toBeDefined();
  for (const { outChannels, kernel, inChannels, bytes, encoding } of weights.values()) {
    const count = outChannels * kernel * kernel * inChannels;
    expect(bytes.length).toBe(encoding === 'i8' ? count : count / 8);
  }
});

test('a backend begins by itself, and closing it meanwhile is no error', async () => {
  const backend = await createWebgpuBackend({ wasmUrls: { simd128: '', relaxed: '' } });
  if (!(backend instanceof WebgpuEngine)) throw new Error('another engine');
  expect(backend.pipelines).toBeGreaterThan(0);
  backend.close();
  await warmUp(backend);
  expect(backend.memory).toEqual({ bytes: 0, objects: 0 });
});
