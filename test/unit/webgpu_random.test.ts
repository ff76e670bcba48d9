/**
 * Random graphs on WebGPU (Dawn in Node) against the reference: the same bits. The seed is fixed, so that a failure is one
 * everywhere; fast-check shrinks it to few nodes.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installDawn, removeDawn } from '../helpers/dawn';
import { modelArbitrary, randomImage } from '../helpers/random_model';
import {
  compareSums,
  compareWithReference,
  expectedKernels,
  openVariant,
} from '../helpers/webgpu_suite';

beforeAll(installDawn);
afterAll(removeDawn);

test.each([
  ['dot4', 300],
  ['shift', 100],
  ['bitplanes', 300],
  ['subgroup', 100],
] as const)('%s: %i random graphs', { timeout: 300_000 }, async (variant, numRuns) => {
  const engine = await openVariant(variant);
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(modelArbitrary(), fc.nat(), async (model, seed) => {
      const data = randomImage(model, seed);
      const result = await compareWithReference(engine, model, { kind: 'crop', data });
      expect(result.difference).toBeNull();
      expect(result.kernels).toEqual(expectedKernels(model, variant));
      compared++;
    }),
    { numRuns, seed: 1 },
  );
  expect(compared).toBe(numRuns);
  expect(engine.memory.bytes).toBe(0);
  engine.close();
});

const softmaxArbitrary = fc.record({
  window: fc.constantFrom(1, 3, 9, 63),
  scale: fc.constantFrom(1e-5, 0.0004, 0.01, 0.3, 40),
});

test('sums over the heatmaps of random graphs', { timeout: 300_000 }, async () => {
  const engine = await openVariant('dot4');
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(modelArbitrary(), softmaxArbitrary, fc.nat(), async (model, codec, seed) => {
      const manifest = {
        ...model.manifest,
        codec: { type: 'softmax', stride: 4, ...codec } as const,
      };
      const data = randomImage(model, seed);
      const difference = await compareSums(engine, { ...model, manifest }, { kind: 'crop', data });
      expect(difference).toBeNull();
      compared++;
    }),
    { numRuns: 150, seed: 3 },
  );
  expect(compared).toBe(150);
  engine.close();
});
