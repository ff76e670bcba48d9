/**
 * Heatmaps to points: the `softmax` codec of models/README.md section 4, in float64 and in a fixed order of operations,
 * so that equal heatmaps give equal bits in every JavaScript engine. Knows no regions and no frames.
 */
import type { Heatmaps } from '../engine/backend';
import type { SoftmaxCodec } from '../model/types';
import { exponential } from '../model/exponential';

/** A decoded landmark in crop pixels, continuous coordinates: 0 is the left or top edge of the crop. */
export interface CropPoint {
  readonly x: number;
  readonly y: number;
  /** Probability, 0..1, that the landmark lies in the window around its peak. */
  readonly score: number;
}

/** One point per heatmap channel. */
export function decodeHeatmaps(heatmaps: Heatmaps, codec: SoftmaxCodec): CropPoint[] {
  const { data, height, width, channels } = heatmaps;
  const power = negativePowers(codec.scale);
  const peaks = findPeaks(heatmaps);
  const totals = new Float64Array(channels);
  for (let cell = 0, i = 0; cell < height * width; cell += 1) {
    for (let channel = 0; channel < channels; channel += 1, i += 1) {
      const below = at(peaks.value, channel) - at(data, i);
      totals[channel] = at(totals, channel) + power(below);
    }
  }
  const reach = (codec.window - 1) / 2;
  const points: CropPoint[] = [];
  for (let channel = 0; channel < channels; channel += 1) {
    const peak = at(peaks.value, channel);
    const peakX = at(peaks.cell, channel) % width;
    const peakY = (at(peaks.cell, channel) - peakX) / width;
    let sum = 0;
    let sumX = 0;
    let sumY = 0;
    for (let y = Math.max(0, peakY - reach); y <= Math.min(height - 1, peakY + reach); y += 1) {
      for (let x = Math.max(0, peakX - reach); x <= Math.min(width - 1, peakX + reach); x += 1) {
        const weight = power(peak - at(data, (y * width + x) * channels + channel));
        sum += weight;
        // Relative to the peak, so that a mean near 0 loses no digits to the cell number.
        sumX += weight * (x - peakX);
        sumY += weight * (y - peakY);
      }
    }
    points.push({
      x: (peakX + sumX / sum + 0.5) * codec.stride,
      y: (peakY + sumY / sum + 0.5) * codec.stride,
      // The two sums add the same numbers in different orders and may differ in the last bit.
      score: Math.min(1, sum / at(totals, channel)),
    });
  }
  return points;
}

/** First largest cell of each channel in row-major order, and its value. */
function findPeaks(heatmaps: Heatmaps): { value: Int16Array; cell: Int32Array } {
  const { data, height, width, channels } = heatmaps;
  const value = data.slice(0, channels);
  const cell = new Int32Array(channels);
  for (let index = 1, i = channels; index < height * width; index += 1) {
    for (let channel = 0; channel < channels; channel += 1, i += 1) {
      const candidate = at(data, i);
      if (candidate > at(value, channel)) {
        value[channel] = candidate;
        cell[channel] = index;
      }
    }
  }
  return { value, cell };
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
