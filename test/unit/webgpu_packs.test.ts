/**
 * Every shipped pack on WebGPU (Dawn in Node): the heatmaps of the training side's parity vectors and of the golden image,
 * in every variant, and convolutions that share a norm share one requantisation.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { goldenImage, checkGolden } from '../../src/model/golden';
import { parsePack } from '../../src/model/pack';
import { installDawn, removeDawn } from '../helpers/dawn';
import { readParityFile } from '../helpers/parity_file';
import {
  compareSums,
  expectedKernels,
  firstDifference,
  openVariant,
} from '../helpers/webgpu_suite';

const VARIANTS = ['dot4', 'shift', 'bitplanes', 'subgroup', 'storage'] as const;
const PACKS = readdirSync('models').filter((file) => file.endsWith('.bitmarks'));

beforeAll(installDawn);
afterAll(removeDawn);

test('there is a pack', () => {
  expect(PACKS.length).toBeGreaterThan(0);
});

describe.each(PACKS)('%s', (file) => {
  const model = parsePack(readFileSync(`models/${file}`));

  test.each(VARIANTS)('%s: parity and golden vectors of every output', async (variant) => {
    const vectors = readParityFile(
      `test/vectors/${file.replace('.bitmarks', '.parity.safetensors')}`,
    );
    const image = Uint8Array.from(vectors.get('input')?.data ?? []);
    const engine = await openVariant(variant);
    for (const [pass, output] of model.graph.outputs.entries()) {
      const compiled = await engine.compile(model, planGraph(model, output));
      const heatmaps = await compiled.run({ kind: 'crop', data: image });
      const expected = vectors.get(output);
      expect(expected?.data).toBeInstanceOf(Int16Array);
      expect(
        firstDifference({ ...heatmaps, data: Int16Array.from(expected?.data ?? []) }, heatmaps),
      ).toBeNull();
      const golden = await compiled.run({ kind: 'crop', data: goldenImage(model) });
      expect(() => checkGolden(model, pass, golden.data, variant)).not.toThrow();
      compiled.close();
    }
    const compiled = await engine.compile(model, planGraph(model));
    expect(compiled.kernels).toEqual(expectedKernels(model, variant));
    engine.close();
  });

  // Finders have no landmarks whose heatmaps could be summed.
  test.runIf(model.manifest.codec.type === 'softmax')(
    'sums heatmaps on the GPU as on the CPU',
    async () => {
      const engine = await openVariant('dot4');
      expect(
        await compareSums(engine, model, { kind: 'crop', data: goldenImage(model) }),
      ).toBeNull();
      expect(engine.counters).toEqual({ submissions: 1, readBacks: 1, uploads: 0 });
      engine.close();
    },
  );

  test('requantises each activation once', async () => {
    const engine = await openVariant('dot4');
    const plan = planGraph(model);
    const compiled = await engine.compile(model, plan);
    const dispatched = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
    await compiled.run({ kind: 'crop', data: goldenImage(model) });
    const sources = plan.steps.flatMap((step) =>
      step.kind === 'conv2d' ? [JSON.stringify([step.source, step.node.kernel])] : [],
    );
    expect(dispatched).toHaveBeenCalledTimes(plan.steps.length + new Set(sources).size);
    vi.restoreAllMocks();
    engine.close();
  });
});
