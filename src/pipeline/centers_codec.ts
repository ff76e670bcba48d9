/**
 * A finder's heatmaps to the subjects it sees: the `centers` codec of models/README.md, in float64 and in a fixed order of
 * operations, so that equal heatmaps give equal bits in every JavaScript engine. Knows no regions and no frames.
 */
import type { Heatmaps } from '../engine/backend';
import { CENTERS_CHANNELS, type CentersCodec } from '../model/types';
import { exponential } from '../model/exponential';

/** A subject in input pixels of the finder, continuous coordinates: 0 is the left or top edge of the input. */
export interface CenterFind {
  readonly x: number;
  readonly y: number;
  /** Longer side of the tight box of the subject's landmarks, measured along its own axes. */
  readonly size: number;
  /** Direction in which the subject stands, not of unit length: rotation 0 is (1, 0), clockwise. */
  readonly cos: number;
  readonly sin: number;
  /** Probability of a subject at this cell, 0..1. */
  readonly score: number;
}

/** Of two subjects nearer to each other than this share of the larger size the worse-scored one is dropped. */
const SAME_DISTANCE = 0.4;

/**
 * Peaks of the center heatmap with a score of at least `minScore`, best first, those of one subject reduced to the best.
 * A peak is the first largest cell, in row-major order, of the 3 x 3 cells around it.
 */
export function decodeCenters(
  heatmaps: Heatmaps,
  codec: CentersCodec,
  minScore: number,
): CenterFind[] {
  const { width, height, channels } = heatmaps;
  const found: CenterFind[] = [];
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      if (!isPeak(heatmaps, column, row)) continue;
      const [center, size, x, y, cos, sin] = CENTERS_CHANNELS.map((_, channel) =>
        channel < channels ? at(heatmaps, column, row, channel) * codec.scale : 0,
      ) as [number, number, number, number, number, number];
      const score = 1 / (1 + exponential(-center));
      if (score < minScore) continue;
      found.push({
        x: (column + 0.5 + x) * codec.stride,
        y: (row + 0.5 + y) * codec.stride,
        size: codec.unit * exponential(size),
        cos: cos === 0 && sin === 0 ? 1 : cos,
        sin,
        score,
      });
    }
  }
  // Equal scores stay in row-major order: sorting is stable.
  found.sort((a, b) => b.score - a.score);
  const kept: CenterFind[] = [];
  for (const find of found) if (!kept.some((other) => isSame(find, other))) kept.push(find);
  return kept;
}

function isSame(a: CenterFind, b: CenterFind): boolean {
  const [dx, dy] = [a.x - b.x, a.y - b.y];
  return Math.sqrt(dx * dx + dy * dy) < SAME_DISTANCE * Math.max(a.size, b.size);
}

function isPeak(heatmaps: Heatmaps, column: number, row: number): boolean {
  const value = at(heatmaps, column, row, 0);
  for (let y = Math.max(0, row - 1); y <= Math.min(heatmaps.height - 1, row + 1); y += 1) {
    for (let x = Math.max(0, column - 1); x <= Math.min(heatmaps.width - 1, column + 1); x += 1) {
      const other = at(heatmaps, x, y, 0);
      const isBefore = y < row || (y === row && x < column);
      if (other > value || (isBefore && other === value)) return false;
    }
  }
  return true;
}

/** Reads within bounds by construction; the type system cannot know that. */
function at({ data, width, channels }: Heatmaps, x: number, y: number, channel: number): number {
  return data[(y * width + x) * channels + channel] ?? 0;
}
