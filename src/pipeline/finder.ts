/**
 * Finds subjects nobody has pointed at: a finder network looks at the frame, the landmark network reads what it found, one
 * result per subject. Knows no time and no identities.
 */
import type { Heatmaps } from '../engine/backend';
import type { RegionOfInterest } from '../protocol/result';
import { decodeCenters } from './centers_codec';
import { readCutOff } from './cut_off';
import { locateLandmarks, locateUntilSettled, type Infer, type Located } from './locate';
import type { FinderModel, LandmarkModel } from './pack_models';
import {
  centerDistance,
  coveringSquares,
  cropToFramePixels,
  resized,
  roiAround,
  roiFromBox,
  type FrameSize,
} from './roi';
import { isSameSubject } from './same_subject';
import type { Task } from './tasks';

/** A region for the landmark network, and how sure the finder is of it. */
interface Find {
  readonly region: RegionOfInterest;
  readonly score: number;
}

/** Crops the region out of the frame at hand and runs the finder on it. */
export type InferFinder = (region: RegionOfInterest) => Promise<Heatmaps>;

export interface FinderContext {
  readonly frame: FrameSize;
  readonly task: Task;
  readonly model: LandmarkModel;
  readonly finder: FinderModel;
  /** Runs the landmark network. */
  readonly infer: Infer;
  /** Runs the finder. */
  readonly inferFinder: InferFinder;
  /** Least score that the finder must give, 0..1. */
  readonly minFinderScore: number;
  /** Least landmark score of a subject, 0..1. */
  readonly minScore: number;
}

/** Finder score from which the landmarks need no more than the presence score; below, in proportion, up to certainty at 0. */
export const SURE_FIND_SCORE = 0.5;

/** Finds read in vain before a frame is given up. */
const SPARE_READINGS = 2;

/** Score from which a find in a still image is not read again. */
const READ_ONCE_SCORE = 0.9;

/** Sizes of the regions from which others are, in sides of the find's own. */
const OTHER_SIZES = [0.85, 1.18] as const;

/** Subjects in the whole frame except the `known` ones, at most `wanted`, best first. */
export async function findSubjects(
  context: FinderContext,
  known: readonly Located[],
  wanted: number,
): Promise<Located[]> {
  return findIn([wholeFrame(context.frame)], context, known, wanted, readRegion);
}

/**
 * The same for a still image, with a second look at windows of half its size where that shows fewer than wanted: who is too
 * small for the finder in the whole frame is twice as large there.
 */
export async function findInStill(context: FinderContext, wanted: number): Promise<Located[]> {
  const found = await findIn([wholeFrame(context.frame)], context, [], wanted, readThrice);
  const windows = halfWindows(context.frame);
  // Where a window has fewer pixels than the network's input, there is nothing more to see.
  const isFine = windows.every(({ sizePixels }) => sizePixels >= context.finder.cropSize);
  if (found.length === wanted || !isFine) return found;
  const more = await findIn(windows, context, found, wanted - found.length, readThrice);
  return [...found, ...more].sort((a, b) => b.score - a.score);
}

/** The square around the frame that the finder sees. */
export function wholeFrame(frame: FrameSize): RegionOfInterest {
  return roiFromBox({ x: 0, y: 0, ...frame }, frame, 1);
}

/** Squares of half the longer side that cover the frame, each half covered by the next. */
export function halfWindows(frame: FrameSize): RegionOfInterest[] {
  return coveringSquares(frame, Math.max(frame.width, frame.height) / 2, 0.5);
}

/** What the finder sees in each window, best first. */
async function look(
  windows: readonly RegionOfInterest[],
  { frame, finder, model, inferFinder, minFinderScore }: FinderContext,
): Promise<Find[]> {
  const finds: Find[] = [];
  for (const window of windows) {
    const inCrop = decodeCenters(await inferFinder(window), finder.codec, minFinderScore);
    const scale = (model.roi.scale * window.sizePixels) / finder.cropSize;
    for (const { x, y, size, cos, sin, score } of cropToFramePixels(
      inCrop,
      window,
      frame,
      finder.cropSize,
    )) {
      const rotationRad = model.roi.upright === null ? 0 : Math.atan2(sin, cos);
      finds.push({ region: roiAround({ x, y }, size * scale, rotationRad, frame), score });
    }
  }
  return finds.sort((a, b) => b.score - a.score);
}

/** Reads the landmarks of what the finder sees in the windows until as many subjects as wanted are certain. */
async function findIn(
  windows: readonly RegionOfInterest[],
  context: FinderContext,
  known: readonly Located[],
  wanted: number,
  read: typeof readRegion,
): Promise<Located[]> {
  const { frame, model, task } = context;
  const isNear = (a: RegionOfInterest, b: RegionOfInterest): boolean =>
    centerDistance(a, b, frame) < task.sameCenterDistance;
  let found: Located[] = [];
  let readings = wanted + SPARE_READINGS;
  // Finds that led nowhere count too: their neighbors would lead to the same place.
  const seen = known.map(({ next }) => next);
  for (const { region, score } of await look(windows, context)) {
    if (found.length === wanted || readings === 0) break;
    if (seen.some((other) => isNear(other, region))) continue;
    readings -= 1;
    seen.push(region);
    const refined = await read(region, context);
    if (refined === null) continue;
    const isSame = (other: Located): boolean =>
      isSameSubject(other, refined, frame, task, model.roi);
    // Of readings of one subject from different regions the best counts.
    const isWorse = found.some((other) => isSame(other) && other.score >= refined.score);
    if (refined.score < neededScore(score, context) || isWorse || known.some(isSame)) continue;
    found = [...found.filter((other) => !isSame(other)), refined];
    seen.push(refined.next);
  }
  return found.sort((a, b) => b.score - a.score);
}

/** The subject in a region, refined by its own landmarks; null where the first reading shows too little of one. */
async function readRegion(
  region: RegionOfInterest,
  { frame, model, task, infer, minScore }: FinderContext,
): Promise<Located | null> {
  const first = await locateLandmarks(region, frame, model, infer, 0);
  if (first.score < minScore * task.candidateShare) return null;
  const settled = await locateUntilSettled(
    first.next,
    frame,
    model,
    infer,
    task.refinements - 1,
    task.mostRefinements - 1,
  );
  return readCutOff(settled, frame, task, model, infer);
}

/**
 * The same, from regions of three sizes where it is not clear: the score of a small or bent subject dips at one size and is near 1 a
 * tenth further, that of a shrub is high at one and low beside it. So the clearest reading gives the landmarks and the middle one the
 * score. A stream has the next frame instead.
 */
async function readThrice(
  region: RegionOfInterest,
  context: FinderContext,
): Promise<Located | null> {
  const read = await readRegion(region, context);
  if (read === null || read.score >= READ_ONCE_SCORE) return read;
  const readings = [read];
  for (const share of OTHER_SIZES) {
    const other = await readRegion(resized(region, share, context.frame), context);
    if (other !== null) readings.push(other);
  }
  readings.sort((a, b) => b.score - a.score);
  const [clearest = read, middle] = readings;
  return { ...clearest, score: middle?.score ?? 0 };
}

/** Landmark score that makes a find a subject: what the finder is less sure of must be read the more clearly. */
function neededScore(finderScore: number, { minScore }: FinderContext): number {
  const doubt = Math.max(0, 1 - finderScore / SURE_FIND_SCORE);
  return minScore + (1 - minScore) * doubt;
}
