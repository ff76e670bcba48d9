/**
 * A network made by hand whose "face" is three dots, red, green and blue, on any gray: small enough for software GPUs, and
 * with a known right answer for every scene. For tests of everything around the network. Runs in Node and in browsers.
 */
import { goldenImage, heatmapHash } from '../../src/model/golden';
import type { Model } from '../../src/model/types';
import { evaluateGraph } from './evaluate_graph';
import { ModelBuilder } from './model_builder';
import { writePack } from './pack_writer';

/** Where a face of dots is, in source pixels; red and green are its upper corners, blue its lower middle. */
export interface DotsFace {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly angleRad?: number;
}

export interface Pixels {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** Largest error of a landmark, in sizes of the face; a heatmap cell is 0.125. */
export const DOTS_TOLERANCE = 0.08;

const CROP_SIZE = 64;
const COLORS = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
] as const;

/** Finds the three colors: each head channel is twice its color less the other two, averaged over 4 x 4 pixels. */
export function dotsModel(): Model {
  const builder = new ModelBuilder(CROP_SIZE, CROP_SIZE);
  // OHWI with three channels in and out. Only the taps at 0 and +1 of the 3x3 kernels count, so that a cell's mean position
  // is its center.
  const pick = (own: number, other: number) => (index: number) => {
    const [inner, x, y] = [index % 3, Math.floor(index / 3) % 3, Math.floor(index / 9) % 3];
    if (x === 0 || y === 0) return 0;
    return inner === Math.floor(index / 27) ? own : other;
  };
  const colors = builder.conv(builder.image, {
    kernel: 3,
    stride: 2,
    outChannels: 3,
    encoding: 'i8',
    weights: pick(60, -30),
  });
  const head = builder.conv(builder.requantize([colors], { shift: 4 }), {
    kernel: 3,
    stride: 2,
    outChannels: 3,
    encoding: 'i8',
    weights: pick(60, 0),
  });
  const roi = { scale: 2, upright: [0, 1] as const, presence: 0.8 };
  const landmarks = ['red', 'green', 'blue'];
  const model = builder.build([head], { name: 'dots', landmarks, roi });
  const heatmaps = evaluateGraph(model, goldenImage(model)).get(head)?.data;
  if (!(heatmaps instanceof Int16Array)) throw new Error('the head is no feature');
  const golden = { seed: 1, sha256: [heatmapHash(heatmaps)] };
  return { ...model, manifest: { ...model.manifest, golden } };
}

/** The model as a file. */
export function dotsPack(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(writePack(dotsModel()));
}

/** Centers of the red, green and blue dot, in source pixels. */
export function dotsOf({ x, y, size, angleRad = 0 }: DotsFace): { x: number; y: number }[] {
  const cos = Math.cos(angleRad) * size;
  const sin = Math.sin(angleRad) * size;
  return [
    [-0.5, -0.45],
    [0.5, -0.45],
    [0, 0.45],
  ].map(([u = 0, v = 0]) => ({ x: x + u * cos - v * sin, y: y + u * sin + v * cos }));
}

/** A gray frame with faces of dots. */
export function drawDots(width: number, height: number, faces: readonly DotsFace[]): Pixels {
  const data = new Uint8ClampedArray(width * height * 4).fill(90);
  for (let i = 3; i < data.length; i += 4) data[i] = 255;
  for (const face of faces) {
    const radius = face.size * 0.12;
    dotsOf(face).forEach((dot, k) => {
      const [red = 0, green = 0, blue = 0] = COLORS[k] ?? [];
      for (let y = Math.max(0, Math.floor(dot.y - radius)); y < dot.y + radius; y += 1) {
        for (let x = Math.max(0, Math.floor(dot.x - radius)); x < dot.x + radius; x += 1) {
          const isInside = Math.hypot(x + 0.5 - dot.x, y + 0.5 - dot.y) < radius;
          if (isInside && x < width && y < height) {
            data.set([red, green, blue], (y * width + x) * 4);
          }
        }
      }
    });
  }
  return { data, width, height };
}

/** Largest distance of the landmarks from the dots, in sizes of the face; Infinity without landmarks. */
export function dotsError(
  landmarks: readonly { readonly x: number; readonly y: number }[] | undefined,
  face: DotsFace,
  frame: { readonly width: number; readonly height: number },
): number {
  if (landmarks?.length !== 3) return Infinity;
  const distances = dotsOf(face).map((dot, k) => {
    const { x = NaN, y = NaN } = landmarks[k] ?? {};
    return Math.hypot(x * frame.width - dot.x, y * frame.height - dot.y);
  });
  return Math.max(...distances) / face.size;
}
