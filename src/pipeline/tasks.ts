/**
 * What differs between kinds of subjects apart from their packs: how to look for them and how to smooth them. A new task
 * is an entry here and a pack. Constants only.
 */
import type { OneEuroConstants } from './one_euro_filter';

export interface Task {
  /** Sides of the square search windows, in shorter frame sides, in the order tried: large subjects first. */
  readonly searchSides: readonly number[];
  /** Distance between neighboring windows of one size, in their sides. */
  readonly searchStride: number;
  /** A window is worth refining from this share of the score that a new subject needs: it is hardly ever well centered. */
  readonly candidateShare: number;
  /** Rounds of "region from its own landmarks" for a new subject: at least so many, */
  readonly refinements: number;
  /** at most so many, if the region does not come to rest before. */
  readonly mostRefinements: number;
  /** Two regions show one subject if their centers are closer than this, in sides of the larger one, */
  readonly sameCenterDistance: number;
  /** or if one covers the other by at least this share: parts of a face look like faces to a network that knows no others. */
  readonly sameCoveredShare: number;
  /** Share of the presence score at which a followed subject counts as lost, so that it does not flicker. */
  readonly trackingShare: number;
  readonly video: {
    /** Search windows per frame while nothing is followed. */
    readonly windowsPerFrame: number;
    /** Search windows per frame while some, but not all, subjects are followed. */
    readonly windowsWhileTracking: number;
    /** No further window is begun in a frame after this time. */
    readonly searchBudgetMs: number;
  };
  /** Lengths are in sides of the region, so that near and far faces are smoothed alike. */
  readonly smoothing: OneEuroConstants;
}

export const TASKS = {
  face: {
    searchSides: [1, 0.7, 1.4, 0.5, 0.35, 0.25],
    searchStride: 1 / 3,
    candidateShare: 0.6,
    refinements: 2,
    mostRefinements: 4,
    // Faces that touch are 0.8 of a side apart and cover a fifth of each other; a small face beside one of three times its
    // size is 0.53 sides from its center, and covered by two fifths.
    sameCenterDistance: 0.38,
    sameCoveredShare: 0.5,
    trackingShare: 0.8,
    video: { windowsPerFrame: 16, windowsWhileTracking: 2, searchBudgetMs: 200 },
    // A still face moves below 0.05 sides/s by noise alone, a turning head above 1: cutoffs of about 2 and 20 Hz.
    smoothing: { minCutoffHz: 1.2, speedCutoff: 20, derivativeCutoffHz: 1 },
  },
} as const satisfies Record<string, Task>;
