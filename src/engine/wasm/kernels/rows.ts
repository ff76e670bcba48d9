/**
 * Which rows of a step a thread computes. Each makes the activations that its rows read by itself, the rows at the edge too, so
 * that threads wait for each other only between steps. Sizes only: no addresses, no calls.
 */
import type { ConvStep } from '../../planner';

/** Rows first..end - 1. */
export interface Rows {
  readonly first: number;
  readonly end: number;
}

/** The part of thread `thread` of `height` rows; the parts differ by one row at most. */
export function rowsOf(height: number, thread: number, threads: number): Rows {
  return {
    first: Math.floor((height * thread) / threads),
    end: Math.floor((height * (thread + 1)) / threads),
  };
}

/**
 * Input rows whose activations a thread makes for these output rows. Those of all threads together are all rows, as the next
 * step may read the same activations with another stride.
 */
export function activationRows({ node, inputShape, outputShape }: ConvStep, rows: Rows): Rows {
  const pad = (node.kernel - 1) / 2;
  const read = (rows.end - 1) * node.stride + pad + 1;
  const isLast = rows.end === outputShape[0];
  return {
    first: Math.max(0, rows.first * node.stride - pad),
    end: Math.min(inputShape[0], isLast ? Infinity : Math.max(read, rows.end * node.stride)),
  };
}
