/**
 * What differs between kinds of subjects apart from their packs: when two are one, when one is lost, how to smooth. A new
 * task is an entry here and its packs. Constants only.
 */
import type { OneEuroConstants } from './one_euro_filter';

export interface Task {
  /** `manifest.task` of the pack that finds subjects of this task. */
  readonly finder: string;
  /** Sides of the windows that are searched without a finder, in shorter frame sides, in the order tried. */
  readonly searchSides: readonly number[];
  /** What was found is worth refining from this share of the score that a new subject needs. */
  readonly candidateShare: number;
  /** Rounds of "region from its own landmarks" for a new subject: at least so many, */
  readonly refinements: number;
  /** at most so many, if the region does not come to rest before. */
  readonly mostRefinements: number;
  /** What is found closer than this to a known subject, in sides of the larger region, is taken for that subject. */
  readonly sameCenterDistance: number;
  /** Two subjects are one if their landmarks are closer than this on average, in sides of the larger region, */
  readonly sameLandmarkDistance: number;
  /** or if the region of one covers that of the other by at least this share; null: regions may overlap. */
  readonly sameCoveredShare: number | null;
  /**
   * Least presence score in a stream, unless the caller wants another: a region that is followed is not asked of the finder again, so
   * that less than that of a still image would follow walls.
   */
  readonly streamPresence: number;
  /** Share of the presence score at which a followed subject counts as lost, so that it does not flicker. */
  readonly trackingShare: number;
  /** The finder looks for missing subjects this often while others are followed; in every frame while none is. */
  readonly findIntervalMs: number;
  /** And this often while one that is followed has a doubtful score. */
  readonly reviewIntervalMs: number;
  /** Lengths are in sides of the region, so that near and far subjects are smoothed alike. */
  readonly smoothing: OneEuroConstants;
}

/** A still subject moves below 0.05 sides/s by noise alone, a turning head above 1: cutoffs of about 2 and 20 Hz. */
const SMOOTHING: OneEuroConstants = { minCutoffHz: 1.2, speedCutoff: 20, derivativeCutoffHz: 1 };

export const TASKS = {
  face: {
    finder: 'face-finder',
    searchSides: [1, 0.7, 1.4, 0.5, 0.35, 0.25],
    candidateShare: 0.75,
    refinements: 1,
    mostRefinements: 4,
    // Faces that touch are 0.8 of a side apart; a small face beside one of three times its size is 0.53 sides from its center.
    sameCenterDistance: 0.38,
    sameLandmarkDistance: 0.1,
    // Parts of a face look like faces to a network that knows no others. Faces that touch cover a fifth of each other, a small
    // one beside one of three times its size is covered by two fifths.
    sameCoveredShare: 0.5,
    streamPresence: 0.3,
    trackingShare: 0.8,
    findIntervalMs: 500,
    reviewIntervalMs: 150,
    smoothing: SMOOTHING,
  },
  pose: {
    finder: 'person-finder',
    // Small windows of foliage or furniture look like people too often.
    searchSides: [1, 1.4, 0.7],
    candidateShare: 0.6,
    refinements: 1,
    mostRefinements: 4,
    // People shoulder to shoulder are 0.2 sides apart, and their regions cover each other almost wholly.
    sameCenterDistance: 0.15,
    sameLandmarkDistance: 0.1,
    sameCoveredShare: null,
    streamPresence: 0.2,
    trackingShare: 0.8,
    findIntervalMs: 500,
    reviewIntervalMs: 150,
    smoothing: SMOOTHING,
  },
} as const satisfies Record<string, Task>;
