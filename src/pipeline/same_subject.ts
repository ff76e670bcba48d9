/**
 * Whether two readings show one subject, and one result for each. Knows no search, no time and no identities.
 */
import type { RoiRule } from '../model/types';
import { visibleScore, type Located } from './locate';
import { coveredShare, type FrameSize } from './roi';
import type { Task } from './tasks';

/**
 * Landmarks count where both readings have them in the picture, by the model's `rule`: those that are hardly there lie elsewhere in
 * every region, and part of a person would be somebody else than the whole.
 */
export function isSameSubject(
  a: Located,
  b: Located,
  frame: FrameSize,
  task: Task,
  rule: RoiRule,
): boolean {
  const side = Math.max(a.next.sizePixels, b.next.sizePixels);
  const covered = task.sameCoveredShare;
  return (
    meanDistance(a, b, visibleScore(rule)) < task.sameLandmarkDistance * side ||
    (covered !== null && coveredShare(a.next, b.next, frame) >= covered)
  );
}

/** Infinity where the readings have no landmark in common. */
function meanDistance(a: Located, b: Located, minScore: number): number {
  let sum = 0;
  let count = 0;
  a.points.forEach((point, i) => {
    const other = b.points[i];
    if (other === undefined || Math.min(point.score, other.score) < minScore) return;
    sum += Math.sqrt((point.x - other.x) ** 2 + (point.y - other.y) ** 2);
    count += 1;
  });
  return count === 0 ? Infinity : sum / count;
}
