/**
 * Speed of wrong results is worth nothing: how far the rows that run one graph are from the first of ours.
 */
import { planGraph } from '../src/engine/planner';
import type { Model } from '../src/model/types';
import { decodeHeatmaps, type CropPoint } from '../src/pipeline/heatmap_codec';
import { landmarkModelOf } from '../src/pipeline/pack_models';
import type { Agreement, Contestant } from './measurement';
import type { Task } from './rows';

/** Empty without at least two rows that gave heatmaps. */
export function agreementsOf(
  contestants: readonly Contestant[],
  task: Task,
  model: Model,
): readonly Agreement[] {
  const given = contestants.flatMap(({ row, start: { heatmaps } }) =>
    row.task === task && heatmaps !== null ? [{ row: row.id, heatmaps }] : [],
  );
  const [first, ...others] = given;
  if (first === undefined) return [];
  const expected = decode(first.heatmaps);
  return others.map(({ row, heatmaps }) => ({
    row,
    differing: heatmaps.filter((value, i) => value !== first.heatmaps[i]).length,
    values: heatmaps.length,
    farthestPixels: Math.max(
      ...decode(heatmaps).map(({ x, y }, i) =>
        Math.hypot(x - (expected[i]?.x ?? NaN), y - (expected[i]?.y ?? NaN)),
      ),
    ),
  }));

  function decode(heatmaps: readonly number[]): CropPoint[] {
    const [height, width, channels] = planGraph(model).outputShape;
    const data = Int16Array.from(heatmaps);
    return decodeHeatmaps({ data, height, width, channels }, landmarkModelOf(model).codec);
  }
}
