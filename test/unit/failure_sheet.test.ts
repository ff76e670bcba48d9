/** What cards show as failures. */
import { expect, test } from 'vitest';
import { failureOverlay, worstOf } from '../../scripts/failure_sheet';

test('the worst come first, and what has no error is left out', () => {
  const predictions = [0.1, undefined, 0.3, 0.2].map((error, index) => ({
    ...{ file: String(index), score: 1 },
    ...(error === undefined ? {} : { error }),
  }));
  expect(worstOf(predictions, 2).map(({ file }) => file)).toEqual(['2', '3']);
  expect(worstOf(predictions, 9)).toHaveLength(3);
});

test('each known landmark is joined with its place, and found ones with each other', () => {
  const found = [
    [10, 20],
    [30, 40],
  ] as const;
  const svg = failureOverlay([{ x: 12, y: 20 }, null], found, [[0, 1]], 0.5, 80);
  expect(svg.match(/<line/g)).toHaveLength(2);
  expect(svg).toContain('x1="5.0" y1="10.0" x2="15.0" y2="20.0"');
  expect(svg).toContain('x1="5.0" y1="10.0" x2="6.0" y2="10.0"');
});
