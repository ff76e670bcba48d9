/** Error figures of evaluations, worked out by hand. */
import { expect, test } from 'vitest';
import {
  correctJoints,
  countFinds,
  figuresOf,
  judgedLandmarks,
  normalizedError,
  reliabilityOf,
} from '../../bench/evaluate/metrics';

test('normalizedError is the mean distance over the normalizer', () => {
  const truth = [
    { x: 0, y: 0 },
    { x: 1, y: 1 },
  ];
  const predicted = [
    { x: 3, y: 4 },
    { x: 1, y: 2 },
  ];
  expect(normalizedError(predicted, truth, 10)).toBeCloseTo(0.3, 12);
  expect(normalizedError([], truth, 10)).toBeNaN();
});

test('of a few errors, worked out by hand', () => {
  const { nme, failureRate, areaUnderCurve } = figuresOf([0, 0.04, 0.08, 0.2]);
  expect(nme).toBeCloseTo(8, 9);
  expect(failureRate).toBe(25);
  expect(areaUnderCurve).toBeCloseTo((100 * (1 + 0.5 + 0 + 0)) / 4, 9);
});

test('correctJoints counts known joints within a fifth of the torso', () => {
  const truth = [{ x: 0, y: 0 }, null, { x: 50, y: 0 }, { x: 0, y: 90 }];
  const predicted = [
    { x: 12, y: 16 },
    { x: 999, y: 999 },
    { x: 50, y: 20.1 },
    { x: 0, y: 90 },
  ];
  // 20 of 100 is right, 20.1 is not.
  expect(correctJoints(predicted, truth, 100)).toEqual({ correct: 2, joints: 3 });
});

test('judgedLandmarks asks for a fifth of the torso, or a tenth of the normalizer', () => {
  const truth = [{ x: 0, y: 0 }, null, { x: 50, y: 0 }];
  const predicted = [
    { x: 10, y: 0, score: 0.5 },
    { x: 0, y: 0, score: 0.9 },
    { x: 50, y: 0, score: 1 },
  ];
  const near = [
    [0.5, true],
    [1, true],
  ];
  expect(judgedLandmarks(predicted, truth, { torso: 50, normalizer: 1 })).toEqual(near);
  expect(judgedLandmarks(predicted, truth, { torso: null, normalizer: 100 })).toEqual(near);
  expect(judgedLandmarks(predicted, truth, { torso: null, normalizer: 99 })[0]?.[1]).toBe(false);
});

test('reliabilityOf compares scores with what came out, range by range', () => {
  const { calibrationError, ranges } = reliabilityOf([
    [0.95, true],
    [1, true],
    [0.91, false],
    [0.25, false],
  ]);
  expect(ranges.map(({ landmarks }) => landmarks)).toEqual([1, 3]);
  expect(ranges[1]?.score).toBeCloseTo(2.86 / 3, 9);
  expect(ranges[1]?.right).toBeCloseTo(2 / 3, 9);
  // (1 * 0.25 + 3 * (0.9533 - 0.6667)) / 4
  expect(calibrationError).toBeCloseTo(27.75, 9);
  expect(reliabilityOf([]).calibrationError).toBeNaN();
});

test('countFinds takes each box once, by distance and size', () => {
  const box = { x: 100, y: 100, width: 50, height: 100 };
  const other = { x: 300, y: 100, width: 100, height: 50 };
  // The center of the box is (125, 150): 0.3 of 100 is 30 away, 1.6 times 100 is 160.
  expect(countFinds([{ x: 125, y: 179, size: 159 }], [box, other], []).hits).toBe(1);
  expect(countFinds([{ x: 125, y: 181, size: 100 }], [box, other], []).hits).toBe(0);
  expect(countFinds([{ x: 125, y: 150, size: 161 }], [box, other], []).hits).toBe(0);
  expect(countFinds([{ x: 125, y: 150, size: 62 }], [box, other], []).hits).toBe(0);
  const twice = { x: 125, y: 150, size: 100 };
  expect(countFinds([twice, twice, { x: 350, y: 125, size: 90 }], [box, other], []).hits).toBe(2);
});

test('countFinds counts as alarms what hits nothing and lies where somebody has looked', () => {
  const box = { x: 100, y: 100, width: 100, height: 100 };
  const ignored = { x: 300, y: 0, width: 40, height: 20 };
  const hit = { x: 150, y: 150, size: 100 };
  const vague = { x: 339, y: 19, size: 500 };
  const beside = { x: 341, y: 19, size: 20 };
  expect(countFinds([hit, vague, beside], [box], [ignored]).alarms).toBe(1);
  expect(countFinds([hit, hit], [box], [ignored]).alarms).toBe(1);
  expect(countFinds([], [box], []).alarms).toBe(0);
});
