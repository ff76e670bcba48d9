/**
 * Every shipped pack, against the values that the training side computed: the reference equals the parity vectors tensor by
 * tensor, and the pack keeps its golden promise. A pack without vectors is an error.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { checkGolden, goldenImage } from '../../src/model/golden';
import { parsePack } from '../../src/model/pack';
import { evaluateGraph } from '../helpers/evaluate_graph';
import { readParityFile, type ParityTensor } from '../helpers/parity_file';

const PACKS = readdirSync('models').filter((file) => file.endsWith('.bitmarks'));

/** Number of values that differ, and the first of them, for a message that says where. */
function difference(actual: ParityTensor, expected: ParityTensor): string {
  const wrong = [...expected.data.keys()].filter((i) => actual.data[i] !== expected.data[i]);
  const [first = -1] = wrong;
  if (first < 0) return 'equal';
  return `${wrong.length} of ${expected.data.length} values differ, the first at ${first}: ${actual.data[first]}, expected ${expected.data[first]}`;
}

test('there is a pack', () => {
  expect(PACKS.length).toBeGreaterThan(0);
});

describe.each(PACKS)('%s', (file) => {
  const model = parsePack(readFileSync(`models/${file}`));
  const vectors = readParityFile(
    `test/vectors/${file.replace('.bitmarks', '.parity.safetensors')}`,
  );
  const image = vectors.get('input')?.data;

  test('has vectors of an image, of inner tensors of both kinds, and of every output', () => {
    const kinds = [...vectors.values()].map(({ data }) => data.constructor.name);
    expect(image).toBeInstanceOf(Uint8Array);
    expect(kinds.filter((kind) => kind === 'Uint8Array').length).toBeGreaterThan(1);
    expect(kinds).toContain('Int16Array');
    for (const output of model.graph.outputs) expect([...vectors.keys()]).toContain(output);
  });

  test('computes every tensor as the training side did', () => {
    const tensors = evaluateGraph(model, Uint8Array.from(image ?? []));
    for (const [name, expected] of vectors) {
      if (name === 'input') continue;
      const actual = tensors.get(name) ?? { shape: [], data: new Int16Array(0) };
      expect([name, actual.shape]).toEqual([name, expected.shape]);
      expect([name, difference(actual, expected)]).toEqual([name, 'equal']);
      // A tensor of one value proves nothing.
      expect(new Set(expected.data).size, name).toBeGreaterThan(1);
    }
  });

  test('computes every output through its plan', async () => {
    const backend = await createReferenceBackend();
    for (const output of model.graph.outputs) {
      const compiled = await backend.compile(model, planGraph(model, output));
      const { data, height, width, channels } = await compiled.run({
        kind: 'crop',
        data: Uint8Array.from(image ?? []),
      });
      const expected = vectors.get(output) ?? { shape: [], data: new Int16Array(0) };
      expect(difference({ shape: [height, width, channels], data }, expected)).toBe('equal');
    }
  });

  test('keeps its golden promise for every output', async () => {
    const backend = await createReferenceBackend();
    for (const [pass, output] of model.graph.outputs.entries()) {
      const compiled = await backend.compile(model, planGraph(model, output));
      const { data } = await compiled.run({ kind: 'crop', data: goldenImage(model) });
      expect(() => checkGolden(model, pass, data, 'reference')).not.toThrow();
    }
  });

  test('has a codec whose cells cover the input', () => {
    const { graph, manifest } = model;
    const [height, width] = graph.shapes.get(graph.outputs[0] ?? '') ?? [0, 0];
    expect(height * manifest.codec.stride).toBe(graph.input.shape[0]);
    expect(width * manifest.codec.stride).toBe(graph.input.shape[1]);
    expect(graph.input.shape[0]).toBe(graph.input.shape[1]);
  });
});
