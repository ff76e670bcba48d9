/**
 * Finds subjects nobody has pointed at: a pyramid of square windows over the frame, the best-scored of which are refined
 * by their own landmarks, one result per subject. Stands in for a finder network. Knows no time and no identities.
 */
import type { RegionOfInterest } from '../protocol/result';
import { locateLandmarks, locateUntilSettled, type Infer, type Located } from './locate';
import type { LandmarkModel } from './pack_models';
import { centerDistance, coveredShare, coveringSquares, type FrameSize } from './roi';

/** How the search goes about. */
export const SEARCH = {
  /** Distance between neighboring windows of one size, in their sides. */
  stride: 1 / 3,
  /** A window is worth refining from this share of the score that a new subject needs: it is hardly ever well centered. */
  candidateShare: 0.6,
  /** Rounds of "region from its own landmarks" for a candidate: at least and at most. */
  refinements: 2,
  mostRefinements: 4,
  /** Two regions show one subject if their centers are closer than this, in sides of the larger one, */
  sameCenterDistance: 0.38,
  /** or if one covers the other by at least this share. */
  sameCoveredShare: 0.5,
  /** Windows per frame of a stream while nothing is followed, and while some but not all subjects are. */
  windowsPerFrame: 16,
  windowsWhileTracking: 2,
  /** No further window is begun in a frame after this time. */
  budgetMs: 200,
} as const;

/** Candidates refined in vain before a batch of windows is given up. */
const SPARE_REFINEMENTS = 2;

export interface SearchContext {
  readonly frame: FrameSize;
  readonly model: LandmarkModel;
  /** Sides of the square windows, in shorter frame sides, in the order tried. */
  readonly sides: readonly number[];
  readonly infer: Infer;
  /** Least score of a result, 0..1. */
  readonly minScore: number;
}

/** Whether two regions around landmarks show one subject. */
function isSameRegion(a: RegionOfInterest, b: RegionOfInterest, frame: FrameSize): boolean {
  return (
    centerDistance(a, b, frame) < SEARCH.sameCenterDistance ||
    coveredShare(a, b, frame) >= SEARCH.sameCoveredShare
  );
}

/** The windows of each size, in the order of `sides`; within a size from the middle of the frame outwards. */
export function searchLevels(frame: FrameSize, sides: readonly number[]): RegionOfInterest[][] {
  return sides.map((share) => {
    const side = share * Math.min(frame.width, frame.height);
    const windows = coveringSquares(frame, side, SEARCH.stride);
    const fromMiddle = ({ xCenter, yCenter }: RegionOfInterest): number =>
      ((xCenter - 0.5) * frame.width) ** 2 + ((yCenter - 0.5) * frame.height) ** 2;
    return windows.sort((a, b) => fromMiddle(a) - fromMiddle(b));
  });
}

/**
 * Tries the windows, except where one of the `known` subjects is, and returns at most `wanted` new subjects, best first.
 * `goOn` is asked before each try but the first, with the number of tries; the second value returned is how many windows were tried or skipped.
 */
export async function searchWindows(
  windows: readonly RegionOfInterest[],
  context: SearchContext,
  known: readonly RegionOfInterest[],
  wanted: number,
  goOn: (tried: number) => boolean,
): Promise<{ found: Located[]; passed: number }> {
  const { frame, model, infer, minScore } = context;
  const isNear = (a: RegionOfInterest, b: RegionOfInterest): boolean =>
    centerDistance(a, b, frame) < SEARCH.sameCenterDistance;

  const candidates: Located[] = [];
  let passed = 0;
  let tried = 0;
  for (const window of windows) {
    // A large window may well show a subject of its size beside the small one that it covers: only the centers count.
    if (!known.some((region) => isNear(region, window))) {
      if (tried > 0 && !goOn(tried)) break;
      tried += 1;
      const located = await locateLandmarks(window, frame, model, infer, 0);
      if (located.score >= minScore * SEARCH.candidateShare) candidates.push(located);
    }
    passed += 1;
  }

  const found: Located[] = [];
  let refinable = wanted + SPARE_REFINEMENTS;
  // Candidates that led nowhere count too: their neighbors would lead to the same place.
  const settled = [...known];
  candidates.sort((a, b) => b.score - a.score);
  for (const candidate of candidates) {
    if (found.length === wanted || refinable === 0) break;
    if (settled.some((region) => isNear(region, candidate.next))) continue;
    settled.push(candidate.next);
    refinable -= 1;
    const refined = await locateUntilSettled(
      candidate.next,
      frame,
      model,
      infer,
      SEARCH.refinements - 1,
      SEARCH.mostRefinements - 1,
    );
    const isKnown = [...known, ...found.map(({ next }) => next)].some((region) =>
      isSameRegion(region, refined.next, frame),
    );
    if (refined.score >= minScore && !isKnown) {
      found.push(refined);
      settled.push(refined.next);
    }
  }
  return { found: found.sort((a, b) => b.score - a.score), passed };
}

/** Score from which a subject is beyond doubt: half way from barely present, `minScore`, to certain. */
function sureScore(minScore: number): number {
  return (1 + minScore) / 2;
}

/** Searches all windows of one frame, size by size, until `wanted` subjects are found beyond doubt; best first. */
export async function searchFrame(context: SearchContext, wanted: number): Promise<Located[]> {
  const isSure = ({ score }: Located): boolean => score >= sureScore(context.minScore);
  let found: Located[] = [];
  for (const windows of searchLevels(context.frame, context.sides)) {
    // Doubtful finds do not hide what smaller windows may find better in their place.
    const known = found.filter(isSure).map(({ next }) => next);
    const more = await searchWindows(windows, context, known, wanted - known.length, () => true);
    found = bestPerSubject([...found, ...more.found], context).slice(0, wanted);
    if (found.length === wanted && found.every(isSure)) break;
  }
  return found;
}

/** Non-maximum suppression: of results of one subject the best-scored one stays; best first. */
function bestPerSubject(results: readonly Located[], context: SearchContext): Located[] {
  const kept: Located[] = [];
  for (const result of [...results].sort((a, b) => b.score - a.score)) {
    const isKept = kept.some(({ next }) => isSameRegion(next, result.next, context.frame));
    if (!isKept) kept.push(result);
  }
  return kept;
}
