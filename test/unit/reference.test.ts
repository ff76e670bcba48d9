/** The reference engine through plans equals the same graph run node by node, and its cropper sees frames. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { cropFrame } from '../../src/model/crop';
import type { Model } from '../../src/model/types';
import { CONV2D_CASES } from '../cases/conv2d';
import { cropCases, frameBytes } from '../cases/crop';
import { MAX_POOL2D_CASES } from '../cases/max_pool2d';
import { evaluateGraph } from '../helpers/evaluate_graph';
import { ModelBuilder } from '../helpers/model_builder';
import { modelArbitrary, randomImage } from '../helpers/random_model';

async function runReference(model: Model, image: Uint8Array, output: string): Promise<Int16Array> {
  const backend = await createReferenceBackend();
  const compiled = await backend.compile(model, planGraph(model, output));
  const { data } = await compiled.run({ kind: 'crop', data: image });
  backend.close();
  return data;
}

/** The largest and smallest value, to see that a case is not blank. */
function range(data: Int16Array): number {
  return Math.max(...data) - Math.min(...data);
}

describe('kernel cases', () => {
  const cases = [...CONV2D_CASES, ...MAX_POOL2D_CASES];

  test('have names of their own', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  test('run through a plan as node by node, and most show different values', async () => {
    let lively = 0;
    for (const { name, build, image } of cases) {
      const model = build();
      const output = model.graph.outputs[0] ?? '';
      const bytes = image(model);
      const planned = await runReference(model, bytes, output);
      expect(planned, name).toEqual(evaluateGraph(model, bytes).get(output)?.data);
      if (range(planned) > 0) lively++;
    }
    expect(lively / cases.length).toBeGreaterThan(0.6);
  });
});

test('random graphs run through plans as node by node', async () => {
  await fc.assert(
    fc.asyncProperty(modelArbitrary(), fc.nat(1000), async (model, seed) => {
      const image = randomImage(model, seed);
      const tensors = evaluateGraph(model, image);
      for (const output of model.graph.outputs) {
        expect(await runReference(model, image, output)).toEqual(tensors.get(output)?.data);
      }
    }),
    { numRuns: 100 },
  );
});

describe('a compiled model', () => {
  const builder = new ModelBuilder(12, 12);
  const model = builder.build([
    builder.conv(builder.image, { outChannels: 3, encoding: 'i8', weights: (index) => index - 4 }),
  ]);

  test('crops a frame as the cropper says, and shows that crop', async () => {
    const backend = await createReferenceBackend();
    const compiled = await backend.compile(model, planGraph(model));
    await expect(compiled.readCrop()).rejects.toMatchObject({ code: 'backend/failed' });
    for (const crop of cropCases(12)) {
      const frame = { ...crop, data: frameBytes(crop) };
      const fromFrame = await compiled.run({ kind: 'frame', ...frame });
      const expected = cropFrame(frame, 12, 12);
      expect(await compiled.readCrop(), crop.name).toEqual(expected);
      expect(await compiled.run({ kind: 'crop', data: expected })).toEqual(fromFrame);
    }
  });

  test('keeps nothing of an earlier run, and gives its results away', async () => {
    const backend = await createReferenceBackend();
    const compiled = await backend.compile(model, planGraph(model));
    const first = await compiled.run({ kind: 'crop', data: randomImage(model, 1) });
    const copy = first.data.slice();
    await compiled.run({ kind: 'crop', data: randomImage(model, 2) });
    expect(first.data).toEqual(copy);
  });

  test('names its kernels and counts its bytes', async () => {
    const backend = await createReferenceBackend();
    const compiled = await backend.compile(model, planGraph(model));
    expect(compiled.kernels).toEqual(['conv2d_reference']);
    expect(compiled.bytes).toEqual({ weights: 9, activations: 12 * 12 * 3 * 2 });
  });

  test('refuses to run once closed, by itself or with its backend', async () => {
    const backend = await createReferenceBackend();
    const compiled = await backend.compile(model, planGraph(model));
    backend.close();
    backend.close();
    const run = compiled.run({ kind: 'crop', data: randomImage(model, 1) });
    await expect(run).rejects.toMatchObject({ code: 'closed' });
  });

  test('refuses a model without its parameters', async () => {
    const backend = await createReferenceBackend();
    const compiling = backend.compile({ ...model, weights: new Map() }, planGraph(model));
    await expect(compiling).rejects.toMatchObject({ code: 'backend/failed' });
  });
});
