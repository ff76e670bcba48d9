/** Places in an arena: apart while they live, aligned, and close to the least that is needed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largestLiveSize, layOutArena, type Block } from '../../src/engine/arena_layout';

const block = (size: number, firstStep: number, lastStep = firstStep): Block => ({
  size,
  firstStep,
  lastStep,
});

const blocks = fc.array(
  fc
    .record({ size: fc.nat(40), firstStep: fc.nat(12), steps: fc.nat(6) })
    .map(({ size, firstStep, steps }) => block(size, firstStep, firstStep + steps)),
  { maxLength: 40 },
);

test('blocks that live at once never overlap, whatever they are', () => {
  fc.assert(
    fc.property(blocks, fc.integer({ min: 1, max: 16 }), (list, alignment) => {
      const { offsets, size } = layOutArena(list, alignment);
      list.forEach((a, i) => {
        const from = offsets[i] ?? NaN;
        expect(from % alignment).toBe(0);
        expect(from + a.size).toBeLessThanOrEqual(size);
        list.slice(i + 1).forEach((b, j) => {
          const other = offsets[i + 1 + j] ?? NaN;
          const apart = from + a.size <= other || other + b.size <= from;
          const together = a.firstStep <= b.lastStep && b.firstStep <= a.lastStep;
          expect(apart || !together || a.size === 0 || b.size === 0).toBe(true);
        });
      });
      expect(size).toBeGreaterThanOrEqual(largestLiveSize(list));
    }),
    { numRuns: 500 },
  );
});

test('places blocks again while the arena is larger than what lives at once', () => {
  // The first try ends at 9: 3 and 2 lie next to each other, and 4 finds no room below them.
  const list = [block(3, 0, 1), block(2, 1, 3), block(4, 3), block(3, 1, 2)];
  expect(largestLiveSize(list)).toBe(8);
  expect(layOutArena(list, 1).size).toBe(8);
});

test('counts what lives at once', () => {
  expect(largestLiveSize([])).toBe(0);
  expect(largestLiveSize([block(3, 0, 2), block(4, 1), block(5, 2, 3)])).toBe(8);
  expect(layOutArena([], 8)).toEqual({ offsets: [], size: 0 });
});
