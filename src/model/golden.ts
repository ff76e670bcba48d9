/**
 * Golden vectors (models/README.md section 3): a seeded image and the hash of its heatmaps, by which any backend can be
 * checked where it runs. Runs no network itself.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { BitmarksError } from '../errors';
import { shapeLength } from './graph';
import type { Model } from './types';

/** `length` bytes of xorshift32, one step per byte, the top byte of each state. `seed` is 1..2^32-1. */
export function xorshiftBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 0;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** The golden image of a model, RGB, HWC. */
export function goldenImage(model: Pick<Model, 'manifest' | 'graph'>): Uint8Array {
  return xorshiftBytes(model.manifest.golden.seed, shapeLength(model.graph.input.shape));
}

/** Lower-case hex SHA-256 of heatmaps as little-endian 16-bit values. */
export function heatmapHash(heatmaps: Int16Array): string {
  const bytes = new Uint8Array(heatmaps.length * 2);
  heatmaps.forEach((value, index) => {
    bytes[2 * index] = value;
    bytes[2 * index + 1] = value >> 8;
  });
  return bytesToHex(sha256(bytes));
}

/**
 * Compares heatmaps of the golden image with the pack's hash. `pass` counts outputs from 0.
 * Throws 'pack/golden' that names `backend`.
 */
export function checkGolden(
  model: Pick<Model, 'manifest'>,
  pass: number,
  heatmaps: Int16Array,
  backend: string,
): void {
  const expected = model.manifest.golden.sha256[pass] ?? 'no hash';
  const actual = heatmapHash(heatmaps);
  if (actual === expected) return;
  throw new BitmarksError(
    'pack/golden',
    `the ${backend} backend computes other heatmaps than ${model.manifest.name} promises for output ${pass} ` +
      `(${actual.slice(0, 16)}, expected ${expected.slice(0, 16)}); it cannot be trusted on this device`,
  );
}
