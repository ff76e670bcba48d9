/**
 * Says where two tensors differ. A plain loop: the test runner's own equality takes seconds on the heatmaps of a face.
 */
import type { Heatmaps } from '../../src/engine/backend';

type Values = Int16Array | Uint8Array;

/** How many values differ and the first that does, in words; null if none does. */
export function difference(expected: Values, found: Values): string | null {
  if (expected.length !== found.length) {
    return `${found.length} values, expected ${expected.length}`;
  }
  let wrong = 0;
  let first = 0;
  for (let index = expected.length - 1; index >= 0; index--) {
    if (expected[index] === found[index]) continue;
    wrong++;
    first = index;
  }
  if (wrong === 0) return null;
  const [value, right] = [String(found[first]), String(expected[first])];
  return `${wrong} of ${expected.length} values differ, the first at ${first}: ${value}, expected ${right}`;
}

/** The same for heatmaps, shapes included. */
export function heatmapDifference(expected: Heatmaps, found: Heatmaps): string | null {
  const shapeOf = ({ height, width, channels }: Heatmaps): string =>
    `${height}x${width}x${channels}`;
  if (shapeOf(expected) !== shapeOf(found)) {
    return `shape ${shapeOf(found)}, expected ${shapeOf(expected)}`;
  }
  return difference(expected.data, found.data);
}
