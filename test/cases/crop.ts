/**
 * Named crops: identity, half pixels, rotation, mirroring, every number of taps, frames of one pixel, regions that leave
 * the frame on all sides. Expected bytes come from the reference cropper.
 */
import type { CropAffine } from '../../src/engine/backend';
import { Random } from '../helpers/random';

export interface CropCase {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly affine: CropAffine;
  /** Taps per axis, 1..8. */
  readonly taps: number;
}

const ONE = 65536;

/** A square of side `side` source pixels around a center, rotated, for a crop of `size` pixels. */
function square(size: number, x: number, y: number, side: number, rotationRad: number): CropAffine {
  const step = (side / size) * ONE;
  const ux = Math.round(step * Math.cos(rotationRad));
  const uy = Math.round(step * Math.sin(rotationRad));
  const offset = (size - 1) / 2;
  return [
    Math.round(x * ONE - offset * (ux - uy)),
    Math.round(y * ONE - offset * (uy + ux)),
    ux,
    uy,
    -uy,
    ux,
  ];
}

/** Cases for a crop of `size` x `size` pixels. */
export function cropCases(size: number): readonly CropCase[] {
  const center = [40.25, 30.75] as const;
  const frame = { width: 83, height: 61 };
  const rotated = [0.3, -0.3, Math.PI / 2, 2.5, Math.PI].map((rotationRad) => ({
    name: `rotated by ${rotationRad.toFixed(2)}`,
    ...frame,
    affine: square(size, ...center, 50, rotationRad),
    taps: 2,
  }));
  const taps = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => ({
    name: `${count} taps`,
    ...frame,
    affine: square(size, ...center, size * count * 0.9, 0.2),
    taps: count,
  }));
  return [
    { name: 'identity', width: size, height: size, affine: [0, 0, ONE, 0, 0, ONE], taps: 1 },
    { name: 'half pixel', ...frame, affine: [ONE / 2, ONE / 2, ONE, 0, 0, ONE], taps: 1 },
    { name: 'one frame pixel', width: 1, height: 1, affine: square(size, 0, 0, 9, 0.7), taps: 2 },
    { name: 'one frame row', width: 19, height: 1, affine: square(size, 9, 0, 19, 0), taps: 1 },
    { name: 'mirrored', ...frame, affine: [70 * ONE, 3, -ONE / 2, 77, -13, ONE / 3], taps: 3 },
    { name: 'magnified', ...frame, affine: square(size, ...center, 3, 0.1), taps: 1 },
    { name: 'outside, left and above', ...frame, affine: square(size, -20, -20, 30, 0.4), taps: 1 },
    { name: 'outside, right and below', ...frame, affine: square(size, 100, 80, 60, 0), taps: 2 },
    { name: 'around the whole frame', ...frame, affine: square(size, ...center, 300, 1), taps: 8 },
    { name: 'far outside', ...frame, affine: square(size, 9000, -9000, 9000, 0.5), taps: 8 },
    { name: 'every pixel the same', ...frame, affine: [5 * ONE, 7 * ONE, 0, 0, 0, 0], taps: 4 },
    ...rotated,
    ...taps,
  ].map((entry) => ({ ...entry, affine: roundAffine(entry.affine) }));
}

function roundAffine(affine: readonly number[]): CropAffine {
  const [x0 = 0, y0 = 0, ux = 0, uy = 0, vx = 0, vy = 0] = affine.map(Math.round);
  return [x0, y0, ux, uy, vx, vy];
}

/** RGBA bytes of a frame; alpha is random too, as it must not matter. */
export function frameBytes(frame: { readonly width: number; readonly height: number }): Uint8Array {
  return new Random(frame.width * 100 + frame.height).bytes(frame.width * frame.height * 4);
}
