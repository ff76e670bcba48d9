/** Golden vectors: the generator, the hash, and the verdict. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { checkGolden, goldenImage, heatmapHash, xorshiftBytes } from '../../src/model/golden';
import { randomModel } from '../helpers/random_model';

test('bytes are the top bytes of xorshift32', () => {
  // From 1: 1 ^ 1 << 13 = 8193; 8193 ^ 8193 >>> 17 = 8193; 8193 ^ 8193 << 5 = 270369, whose top byte is 0; then 67634689
  // and 2647435461.
  expect([...xorshiftBytes(1, 4)]).toEqual([
    0,
    67634689 >>> 24,
    2647435461 >>> 24,
    307599695 >>> 24,
  ]);
});

test('seeds of 32 bits count', () => {
  expect(xorshiftBytes(2 ** 32 - 1, 8)).not.toEqual(xorshiftBytes(2 ** 31 - 1, 8));
});

test('the image has the size of the input', () => {
  const model = randomModel(3);
  expect(goldenImage(model).length).toBe(model.graph.input.shape.reduce((a, b) => a * b));
});

test('the hash is over little-endian 16-bit values', () => {
  const bytes = Uint8Array.of(1, 0, 0xff, 0xff, 0x34, 0x12, 0x00, 0x80);
  const expected = createHash('sha256').update(bytes).digest('hex');
  expect(heatmapHash(Int16Array.of(1, -1, 0x1234, -32768))).toBe(expected);
});

test('one different value refuses the backend', () => {
  const good = Int16Array.of(5, -6, 7);
  const { manifest } = randomModel(1);
  const golden = { seed: 1, sha256: ['0'.repeat(64), heatmapHash(good)] };
  const model = { manifest: { ...manifest, golden } };
  expect(() => checkGolden(model, 1, good, 'wasm')).not.toThrow();
  for (const [pass, heatmaps] of [
    [0, good],
    [1, Int16Array.of(5, -6, 8)],
    [2, good],
  ] as const) {
    expect(() => checkGolden(model, pass, heatmaps, 'wasm')).toThrow(
      expect.objectContaining({
        code: 'pack/golden',
        message: expect.stringContaining('the wasm backend') as string,
      }) as Error,
    );
  }
});
