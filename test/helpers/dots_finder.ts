/**
 * The finder of faces of dots (dots.ts), made by hand too: it sees where the three colors meet, and takes every face for one
 * of middle size, from which the landmark network finds the true one. Runs in Node and in browsers.
 */
import { goldenImage, heatmapHash } from '../../src/model/golden';
import type { Model } from '../../src/model/types';
import { evaluateGraph } from './evaluate_graph';
import { ModelBuilder } from './model_builder';
import { writePack } from './pack_writer';

const INPUT_SIZE = 64;
/** Longer side of every face, in input pixels. */
const SIZE = 22;
/** Side of the kernel that gathers colors around a cell, in cells of 4 pixels. */
const REACH = 9;

/** 64 x 64 pixels to 16 x 16 cells of center, size, x and y. */
export function dotsFinderModel(): Model {
  const builder = new ModelBuilder(INPUT_SIZE, INPUT_SIZE);
  /** Weights (OHWI, three channels in) that sum each color less half of each other one over the taps at 0 and +1. */
  const pick = (index: number): number => {
    const [inner, x, y] = [index % 3, Math.floor(index / 3) % 3, Math.floor(index / 9) % 3];
    if (x === 0 || y === 0) return 0;
    return inner === Math.floor(index / 27) ? 60 : -30;
  };
  const colors = builder.conv(builder.image, {
    ...{ kernel: 3, stride: 2, outChannels: 3, encoding: 'i8', weights: pick },
  });
  const cells = builder.conv(builder.requantize([colors], { shift: 2 }), {
    ...{ kernel: 3, stride: 2, outChannels: 3, encoding: 'i8' },
    weights: (index) => {
      const [inner, x, y] = [index % 3, Math.floor(index / 3) % 3, Math.floor(index / 9) % 3];
      return x > 0 && y > 0 && inner === Math.floor(index / 27) ? 120 : 0;
    },
  });
  // A pyramid around each cell, for each color; the fourth channel stays 0 and becomes a constant by its bias.
  const middle = (REACH - 1) / 2;
  const gathered = builder.conv(builder.requantize([cells], { shift: 2 }), {
    ...{ kernel: REACH, outChannels: 4, encoding: 'i8' },
    weights: (index) => {
      const [inner, x] = [index % 3, Math.floor(index / 3) % REACH];
      const y = Math.floor(index / 3 / REACH) % REACH;
      if (inner !== Math.floor(index / 3 / REACH / REACH)) return 0;
      const away = Math.max(Math.abs(x - middle), Math.abs(y - middle));
      return Math.round((127 * (middle + 1 - away)) / (middle + 1));
    },
  });
  const constant = builder.requantize([gathered], {
    bias: (channel) => (channel === 3 ? 32767 : 0),
    shift: 1,
  });
  const head = builder.conv(constant, {
    ...{ outChannels: 4, encoding: 'i8' },
    // Rows are center, size, x, y: the colors against the constant; no offsets.
    weights: (index) => [40, 40, 40, -6][index] ?? 0,
  });
  const model = builder.build([head], {
    name: 'dots-finder',
    task: 'face-finder',
    landmarks: ['center', 'size', 'x', 'y'],
    mirror: [0, 1, 2, 3],
    connections: [],
    codec: { type: 'centers', stride: 4, scale: 0.002, unit: SIZE },
    roi: { scale: 1, upright: null, presence: 0.5 },
  });
  const heatmaps = evaluateGraph(model, goldenImage(model)).get(head)?.data;
  if (!(heatmaps instanceof Int16Array)) throw new Error('the head is no feature');
  const golden = { seed: 1, sha256: [heatmapHash(heatmaps)] };
  return { ...model, manifest: { ...model.manifest, golden } };
}

/** The model as a file. */
export function dotsFinderPack(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(writePack(dotsFinderModel()));
}
