/**
 * Heatmaps to points: the `softmax` codec of models/README.md section 4, from sums of integers that every backend computes
 * alike (src/model/heatmap_sums.ts) and in a fixed order of operations, so that equal heatmaps give equal bits in every
 * JavaScript engine. Knows no regions and no frames.
 */
import type { Heatmaps } from '../engine/backend';
import { sumHeatmaps, SUMS, type HeatmapSums } from '../model/heatmap_sums';
import type { SoftmaxCodec } from '../model/types';

/** A decoded landmark in crop pixels, continuous coordinates: 0 is the left or top edge of the crop. */
export interface CropPoint {
  readonly x: number;
  readonly y: number;
  /** Probability, 0..1, that the landmark lies in the window around its peak. */
  readonly score: number;
}

/** One point per heatmap channel, from the heatmaps or from their sums made with this codec. */
export function decodeHeatmaps(heatmaps: Heatmaps | HeatmapSums, codec: SoftmaxCodec): CropPoint[] {
  const { width, cells, sums } = 'sums' in heatmaps ? heatmaps : sumHeatmaps(heatmaps, codec);
  return Array.from(cells, (cell, channel) => {
    const peakX = cell % width;
    const peakY = (cell - peakX) / width;
    const first = channel * SUMS;
    const mass = sums[first + 1] ?? NaN;
    return {
      // Relative to the peak, so that a mean near 0 loses no digits to the cell number.
      x: (peakX + (sums[first + 2] ?? NaN) / mass + 0.5) * codec.stride,
      y: (peakY + (sums[first + 3] ?? NaN) / mass + 0.5) * codec.stride,
      score: mass / (sums[first] ?? NaN),
    };
  });
}
