/**
 * Random graphs on WebGPU (Dawn in Node) against the reference: the same bits. The seed is fixed, so that a failure is one
 * everywhere; fast-check shrinks it to few nodes.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installDawn, removeDawn } from '../helpers/dawn';
import { modelArbitrary, randomImage } from '../helpers/random_model';
import { compareWithReference, expectedKernels, openVariant } from '../helpers/webgpu_suite';

beforeAll(installDawn);
afterAll(removeDawn);

test.each([
  ['dot4', 500],
  ['shift', 100],
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
