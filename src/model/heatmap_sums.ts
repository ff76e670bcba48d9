/**
 * What decoding a heatmap of the `softmax` codec needs to know, in sums of integers (models/README.md section 4): they do not
 * depend on the order of the cells, so that a GPU finds the same bits and need not send the heatmap. Knows no landmarks.
 */
import { exponential } from './exponential';
import type { SoftmaxCodec } from './types';

/** 16-bit values, HWC. */
interface HeatmapValues {
  readonly data: Int16Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Per channel; exact integers as long as they are below 2^53, else rounded once. */
export interface HeatmapSums {
  readonly width: number;
  /** First largest cell in row-major order. */
  readonly cells: Int32Array;
  /** Four each: weights of all cells, those of the window, and these times the distance to the peak in x, and in y. */
  readonly sums: Float64Array;
}

/** Sums of a channel in `HeatmapSums.sums`. */
export const SUMS = 4;

/**
 * W[n] = round(2^47 exp(-scale n)) for n = 0 .. length - 1, as W = high * 2^16 + low; 0 from there on. A sum of W over 65,536
 * cells has exact halves.
 */
export interface SoftmaxWeights {
  readonly length: number;
  readonly high: Float64Array;
  readonly low: Float64Array;
}

const UNIT = 2 ** 47;
const HALF = 65536;
/** Differences of two 16-bit values. */
const MAX_LENGTH = 65536;

export function createHeatmapSums(width: number, channels: number): HeatmapSums {
  return { width, cells: new Int32Array(channels), sums: new Float64Array(channels * SUMS) };
}

/** The value of a sum from the sums of its halves: one rounding, wherever these come from. */
export function joinHalves(high: number, low: number): number {
  return high * HALF + low;
}

export function sumHeatmaps(heatmaps: HeatmapValues, codec: SoftmaxCodec): HeatmapSums {
  const { data, height, width, channels } = heatmaps;
  const { length, high, low } = softmaxWeights(codec);
  const result = createHeatmapSums(width, channels);
  const { cells, sums } = result;
  const peaks = findPeaks(heatmaps, cells);
  const totals = new Float64Array(channels * 2);
  for (let cell = 0, i = 0; cell < height * width; cell += 1) {
    for (let channel = 0; channel < channels; channel += 1, i += 1) {
      const below = at(peaks, channel) - at(data, i);
      if (below >= length) continue;
      totals[channel * 2] = at(totals, channel * 2) + at(high, below);
      totals[channel * 2 + 1] = at(totals, channel * 2 + 1) + at(low, below);
    }
  }
  const reach = (codec.window - 1) / 2;
  for (let channel = 0; channel < channels; channel += 1) {
    const peakX = at(cells, channel) % width;
    const peakY = (at(cells, channel) - peakX) / width;
    let [massHigh, massLow, xHigh, xLow, yHigh, yLow] = [0, 0, 0, 0, 0, 0];
    for (let y = Math.max(0, peakY - reach); y <= Math.min(height - 1, peakY + reach); y += 1) {
      for (let x = Math.max(0, peakX - reach); x <= Math.min(width - 1, peakX + reach); x += 1) {
        const below = at(peaks, channel) - at(data, (y * width + x) * channels + channel);
        if (below >= length) continue;
        const [weightHigh, weightLow] = [at(high, below), at(low, below)];
        massHigh += weightHigh;
        massLow += weightLow;
        xHigh += weightHigh * (x - peakX);
        xLow += weightLow * (x - peakX);
        yHigh += weightHigh * (y - peakY);
        yLow += weightLow * (y - peakY);
      }
    }
    const first = channel * SUMS;
    sums[first] = joinHalves(at(totals, channel * 2), at(totals, channel * 2 + 1));
    sums[first + 1] = joinHalves(massHigh, massLow);
    sums[first + 2] = joinHalves(xHigh, xLow);
    sums[first + 3] = joinHalves(yHigh, yLow);
  }
  return result;
}

const known = new WeakMap<SoftmaxCodec, SoftmaxWeights>();

/** Made once per codec object. */
export function softmaxWeights(codec: SoftmaxCodec): SoftmaxWeights {
  let weights = known.get(codec);
  if (weights === undefined) {
    weights = makeWeights(negativePowers(codec.scale));
    known.set(codec, weights);
  }
  return weights;
}

function makeWeights(power: (n: number) => number): SoftmaxWeights {
  let length = 0;
  while (length < MAX_LENGTH && Math.round(UNIT * power(length)) > 0) length += 1;
  const high = new Float64Array(length);
  const low = new Float64Array(length);
  for (let n = 0; n < length; n += 1) {
    const weight = Math.round(UNIT * power(n));
    high[n] = Math.floor(weight / HALF);
    low[n] = weight % HALF;
  }
  return { length, high, low };
}

/** First largest cell of each channel in row-major order, into `cells`; returns its value. */
function findPeaks(
  { data, height, width, channels }: HeatmapValues,
  cells: Int32Array,
): Int16Array {
  const peaks = data.slice(0, channels);
  for (let index = 1, i = channels; index < height * width; index += 1) {
    for (let channel = 0; channel < channels; channel += 1, i += 1) {
      const candidate = at(data, i);
      if (candidate > at(peaks, channel)) {
        peaks[channel] = candidate;
        cells[channel] = index;
      }
    }
  }
  return peaks;
}

/**
 * n -> exp(-scale * n) for n in 0..65535, without Math.exp, whose last bit differs between engines.
 * 1. The powers base^(2^i) of base = exp(-scale) by repeated squaring.
 * 2. Products of these for the low and for the high byte of n, in two tables.
 */
function negativePowers(scale: number): (n: number) => number {
  const base = exponential(-scale);
  const low = powersOf(base);
  let high = base;
  for (let i = 0; i < 8; i += 1) high *= high;
  const highPowers = powersOf(high);
  return (n) => at(low, n & 255) * at(highPowers, n >> 8);
}

/** base^0 .. base^255, each the product of the squarings that its bits name. */
function powersOf(base: number): Float64Array {
  const powers = new Float64Array(256);
  powers[0] = 1;
  let squared = base;
  for (let bit = 1; bit < 256; bit *= 2) {
    for (let n = 0; n < bit; n += 1) powers[bit + n] = at(powers, n) * squared;
    squared *= squared;
  }
  return powers;
}

/** Reads within bounds by construction; the type system cannot know that. */
function at(values: Int16Array | Int32Array | Float64Array, index: number): number {
  return values[index] ?? 0;
}
