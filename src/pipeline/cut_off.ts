/**
 * Landmarks that a region cut off: where a limb must go on beyond it, and a second reading that takes that in. A person read down to
 * the knees would else never show their feet: these lie further away than the region's margin. Knows no search and no time.
 */
import type { RegionOfInterest } from '../protocol/result';
import { locateLandmarks, presentPoints, regionOf, type Infer, type Located } from './locate';
import type { LandmarkModel } from './pack_models';
import { isInFrame, isInRegion, type FrameSize, type Point } from './roi';
import { isSameSubject } from './same_subject';
import type { Task } from './tasks';

/** Middle share of a region's sides in which landmarks are seen well; further out they may be cut off. */
const CLEAR_SHARE = 0.9;

/** The score may fall by this much, since the subject has fewer pixels in the wider region. */
const SCORE_TOLERANCE = 0.1;

/**
 * The subject read once more, at the cost of two readings, from a region that takes in what its own cut off; as it was where nothing
 * is cut off, or where the wider region does not show more landmarks of the same subject.
 */
export async function readCutOff(
  located: Located,
  frame: FrameSize,
  task: Task,
  model: LandmarkModel,
  infer: Infer,
): Promise<Located> {
  const { landmark } = model.roi;
  if (landmark === undefined) return located;
  const beyond = cutOffPoints(located, landmark, frame, model);
  const region = beyond.length === 0 ? null : regionOf(located.points, model.roi, frame, beyond);
  if (region === null) return located;
  const wider = await locateLandmarks(region, frame, model, infer, 1);
  const shown = ({ points }: Located): number => presentPoints(points, landmark).length;
  const showsMore =
    shown(wider) > shown(located) &&
    wider.score >= located.score - SCORE_TOLERANCE &&
    isSameSubject(located, wider, frame, task, model.roi);
  return showsMore ? wider : located;
}

/**
 * Where absent ends of limbs must be that the region did not show though the frame has the place: of three landmarks in a row, as hip,
 * knee and ankle, the last lies as far beyond the second as that is from the first if the limb is straight. Ends alone, since what
 * lies between branches and bends.
 */
function cutOffPoints(
  { points, roi }: Located,
  minScore: number,
  frame: FrameSize,
  { connections }: LandmarkModel,
): Point[] {
  const beyond: Point[] = [];
  const clear: RegionOfInterest = { ...roi, sizePixels: CLEAR_SHARE * roi.sizePixels };
  const neighborsOf = (landmark: number): number[] =>
    connections.filter((pair) => pair.includes(landmark)).map(([a, b]) => (a === landmark ? b : a));
  const present = points.map((point) => (point.score >= minScore ? point : null));
  for (const [end, seen] of present.entries()) {
    const [joint, another] = neighborsOf(end);
    if (seen !== null || joint === undefined || another !== undefined) continue;
    for (const root of neighborsOf(joint).filter((landmark) => landmark !== end)) {
      const [from, middle] = [present[root], present[joint]];
      if (!from || !middle) continue;
      const place = { x: 2 * middle.x - from.x, y: 2 * middle.y - from.y };
      if (isInFrame(place, frame) && !isInRegion(place, clear, frame)) beyond.push(place);
    }
  }
  return beyond;
}
