/**
 * Error figures of the field. Numbers only.
 */
import type { Box, Point } from '../../src/pipeline/roi';

/** Errors above this count as failures, and the error curve ends here. */
const LIMIT = 0.08;
/** A joint is right within this share of the torso (PCK@0.2; the torso is the distance of l_shoulder and r_hip). */
const TORSO_SHARE = 0.2;
/** A landmark of a face counts as right within this share of the normalizer. */
const RIGHT_SHARE = 0.1;
/** Equal ranges of scores in which scores are compared with what came out. */
const SCORE_RANGES = 10;
/** A find is right when its center is within this share of the longer side of the box, */
const FIND_DISTANCE = 0.3;
/** and its size is within this factor of that side. */
const FIND_FACTOR = 1.6;

/** A labelled point; null where it is unknown. */
export type Label = Point | null;

export interface ErrorFigures {
  /** Mean normalized error, percent. */
  readonly nme: number;
  /** Share of images above 8 %, percent. */
  readonly failureRate: number;
  /** Area under the cumulative error curve up to 8 %; 100 when every error is 0. */
  readonly areaUnderCurve: number;
}

/** A landmark's score, and whether the landmark is right. */
export type Judged = readonly [score: number, isRight: boolean];

export interface Reliability {
  /** Mean distance of the scores from the share of right landmarks, range by range, percent (expected calibration error). */
  readonly calibrationError: number;
  /** For each range of scores that holds any: how many, their mean score, and which share is right, 0..1. */
  readonly ranges: readonly {
    readonly landmarks: number;
    readonly score: number;
    readonly right: number;
  }[];
}

/** Mean distance of the known points over the normalizer. */
export function normalizedError(
  predicted: readonly Point[],
  truth: readonly Label[],
  normalizer: number,
): number {
  const distances = distancesOf(predicted, truth);
  return distances.reduce((sum, distance) => sum + distance, 0) / distances.length / normalizer;
}

/** How many of the known joints are right, and how many are known. */
export function correctJoints(
  predicted: readonly Point[],
  truth: readonly Label[],
  torso: number,
): { readonly correct: number; readonly joints: number } {
  const distances = distancesOf(predicted, truth);
  const correct = distances.filter((distance) => distance <= TORSO_SHARE * torso).length;
  return { correct, joints: distances.length };
}

/** Each known landmark with its score and whether it is right: within 0.2 of the torso, or a tenth of the normalizer without one. */
export function judgedLandmarks(
  predicted: readonly (Point & { readonly score: number })[],
  truth: readonly Label[],
  { torso, normalizer }: { readonly torso: number | null; readonly normalizer: number | null },
): Judged[] {
  const reach = torso === null ? RIGHT_SHARE * (normalizer ?? NaN) : TORSO_SHARE * torso;
  return predicted.flatMap(({ x, y, score }, index): Judged[] => {
    const label = truth[index] ?? null;
    return label === null ? [] : [[score, Math.hypot(x - label.x, y - label.y) <= reach]];
  });
}

/** How well scores foretell what is right (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017); NaN for none. */
export function reliabilityOf(judged: readonly Judged[]): Reliability {
  const ranges = Array.from({ length: SCORE_RANGES }, (_, range) =>
    judged.filter(
      ([score]) => Math.min(SCORE_RANGES - 1, Math.floor(score * SCORE_RANGES)) === range,
    ),
  )
    .filter((inRange) => inRange.length > 0)
    .map((inRange) => ({
      landmarks: inRange.length,
      score: inRange.reduce((sum, [score]) => sum + score, 0) / inRange.length,
      right: inRange.filter(([, isRight]) => isRight).length / inRange.length,
    }));
  const apart = ranges.reduce(
    (sum, { landmarks, score, right }) => sum + landmarks * Math.abs(score - right),
    0,
  );
  return { calibrationError: (100 * apart) / judged.length, ranges };
}

/** Figures of a set; NaN for an empty one. */
export function figuresOf(errors: readonly number[]): ErrorFigures {
  const mean = (value: (error: number) => number): number =>
    (100 * errors.reduce((sum, error) => sum + value(error), 0)) / errors.length;
  return {
    nme: mean((error) => error),
    failureRate: mean((error) => (error > LIMIT ? 1 : 0)),
    // Each image lifts the curve by 1/n from its error on, which adds (LIMIT - error) / n of area.
    areaUnderCurve: mean((error) => Math.max(0, LIMIT - error) / LIMIT),
  };
}

/** A find in source pixels: the center and the longer side of a subject's box. */
interface Place {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

/** What of an image's finds is right. */
export interface FindCount {
  /** Boxes that a find hits. */
  readonly hits: number;
  /** Finds that hit no box and whose center lies in none of the ignored ones. */
  readonly alarms: number;
}

/** Matches each of the finds, best first, with the nearest box that is free and that it hits. */
export function countFinds(
  finds: readonly Place[],
  boxes: readonly Box[],
  ignored: readonly Box[],
): FindCount {
  const free = new Set(boxes);
  let alarms = 0;
  for (const find of finds) {
    const hit = nearestHit(find, free);
    if (hit !== null) free.delete(hit);
    else if (!ignored.some((box) => isInside(find, box))) alarms++;
  }
  return { hits: boxes.length - free.size, alarms };
}

function nearestHit(find: Place, boxes: Iterable<Box>): Box | null {
  const [nearest = null] = [...boxes]
    .map((box) => {
      const side = Math.max(box.width, box.height);
      const distance = Math.hypot(find.x - box.x - box.width / 2, find.y - box.y - box.height / 2);
      const factor = Math.max(find.size / side, side / find.size);
      return { box, distance, isHit: distance < FIND_DISTANCE * side && factor < FIND_FACTOR };
    })
    .filter(({ isHit }) => isHit)
    .sort((a, b) => a.distance - b.distance)
    .map(({ box }) => box);
  return nearest;
}

function isInside({ x, y }: Point, box: Box): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

function distancesOf(predicted: readonly Point[], truth: readonly Label[]): number[] {
  return truth.flatMap((label, index) => {
    if (label === null) return [];
    const point = predicted[index] ?? { x: NaN, y: NaN };
    return [Math.hypot(point.x - label.x, point.y - label.y)];
  });
}
