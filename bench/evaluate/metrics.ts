/**
 * Error figures of the field over normalized errors (0.03 is 3 %). Numbers only.
 */
import type { Point } from '../../src/pipeline/roi';

/** Errors above this count as failures, and the error curve ends here. */
const LIMIT = 0.08;

export interface Figures {
  /** Mean normalized error, percent. */
  readonly nme: number;
  /** Share of images above 8 %, percent. */
  readonly failureRate: number;
  /** Area under the cumulative error curve up to 8 %; 100 when every error is 0. */
  readonly areaUnderCurve: number;
}

/** Mean distance of the points over the normalizer. */
export function normalizedError(
  predicted: readonly Point[],
  truth: readonly Point[],
  normalizer: number,
): number {
  const sum = truth.reduce((total, { x, y }, index) => {
    const point = predicted[index] ?? { x: NaN, y: NaN };
    return total + Math.hypot(point.x - x, point.y - y);
  }, 0);
  return sum / truth.length / normalizer;
}

/** Figures of a set; NaN for an empty one. */
export function figuresOf(errors: readonly number[]): Figures {
  const mean = (value: (error: number) => number): number =>
    (100 * errors.reduce((sum, error) => sum + value(error), 0)) / errors.length;
  return {
    nme: mean((error) => error),
    failureRate: mean((error) => (error > LIMIT ? 1 : 0)),
    // Each image lifts the curve by 1/n from its error on, which adds (LIMIT - error) / n of area.
    areaUnderCurve: mean((error) => Math.max(0, LIMIT - error) / LIMIT),
  };
}
