/**
 * The reference cropper of models/README.md section 5: a rotated square of an RGBA frame to RGB bytes, in integers.
 * What the croppers of all backends must equal, byte for byte.
 */

/** [x0, y0, ux, uy, vx, vy] in 1/65536 source pixels. */
type Affine = readonly [number, number, number, number, number, number];

/** Longest side of a frame in pixels, most taps per axis, and how far from the frame's origin a position may lie, in pixels. */
export const MAX_FRAME_SIDE = 8192;
export const MAX_TAPS = 8;
export const MAX_POSITION_PIXELS = 16384;

/** A frame and the integer affine that crops it. */
export interface CropSource {
  /** RGBA bytes, row-major, width * height * 4. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly affine: Affine;
  /** Taps per axis, 1..MAX_TAPS. */
  readonly taps: number;
}

const RGBA = 4;
const RGB = 3;

/** RGB bytes of the crop, [height, width, 3]. */
export function cropFrame(source: CropSource, height: number, width: number): Uint8Array {
  const [x0, y0, ux, uy, vx, vy] = source.affine;
  const { taps } = source;
  const area = taps * taps;
  const crop = new Uint8Array(height * width * RGB);
  let index = 0;
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const centerX = x0 + i * ux + j * vx;
      const centerY = y0 + i * uy + j * vy;
      for (let channel = 0; channel < RGB; channel++) {
        let sum = area >> 1;
        for (let b = 0; b < taps; b++) {
          for (let a = 0; a < taps; a++) {
            const alongU = 2 * a + 1 - taps;
            const alongV = 2 * b + 1 - taps;
            const x = centerX + divide(alongU * ux, 2 * taps) + divide(alongV * vx, 2 * taps);
            const y = centerY + divide(alongU * uy, 2 * taps) + divide(alongV * vy, 2 * taps);
            sum += sample(source, x, y, channel);
          }
        }
        crop[index++] = divide(sum, area);
      }
    }
  }
  return crop;
}

/** Integer division, truncated towards zero. */
function divide(dividend: number, divisor: number): number {
  return Math.trunc(dividend / divisor);
}

/** Bilinear sample at 1/65536 pixels, of which eight fraction bits count; corners are clamped to the frame. */
function sample(source: CropSource, x: number, y: number, channel: number): number {
  const { data, width, height } = source;
  const left = x >> 16;
  const top = y >> 16;
  const fx = (x >> 8) & 255;
  const fy = (y >> 8) & 255;
  const at = (column: number, row: number): number =>
    data[(clamp(row, height - 1) * width + clamp(column, width - 1)) * RGBA + channel] ?? 0;
  const upper = at(left, top) * (256 - fx) + at(left + 1, top) * fx;
  const lower = at(left, top + 1) * (256 - fx) + at(left + 1, top + 1) * fx;
  return (upper * (256 - fy) + lower * fy + 32768) >> 16;
}

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(max, value));
}
