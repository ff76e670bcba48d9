import { describe, expect, it } from 'vitest';
import { OneEuroFilter } from '../../src/pipeline/one_euro_filter';

const constants = { minCutoffHz: 1, speedCutoff: 10, derivativeCutoffHz: 1 };
const FRAME_MS = 1000 / 30;

describe('OneEuroFilter', () => {
  it('returns the first values as they are', () => {
    expect(new OneEuroFilter(constants).apply([1, -2], 0, 1)).toEqual([1, -2]);
  });

  it('keeps a constant', () => {
    const filter = new OneEuroFilter(constants);
    for (let i = 0; i < 10; i += 1) expect(filter.apply([7], i * FRAME_MS, 1)).toEqual([7]);
  });

  it('follows the definition for one step', () => {
    const filter = new OneEuroFilter(constants);
    filter.apply([0], 0, 1);
    // 1 / (2 pi * cutoff) = tau; weight = dt / (dt + tau). Speed 0.1 / 0.1 s = 1, smoothed with cutoff 1 Hz.
    const weight = (cutoffHz: number): number => 0.1 / (0.1 + 1 / (2 * Math.PI * cutoffHz));
    const speed = weight(1) * 1;
    const [value] = filter.apply([0.1], 100, 1);
    expect(value).toBeCloseTo(weight(1 + 10 * speed) * 0.1, 14);
  });

  it('takes most of the tremble away and follows a fast move closely', () => {
    const filter = new OneEuroFilter(constants);
    let spread = 0;
    for (let i = 0; i < 60; i += 1) {
      const [value = NaN] = filter.apply([i % 2 === 0 ? 0.001 : -0.001], i * FRAME_MS, 1);
      if (i >= 30) spread = Math.max(spread, Math.abs(value));
    }
    expect(spread).toBeLessThan(0.0004);

    let lag = 0;
    for (let i = 0; i < 30; i += 1) {
      const [value = NaN] = filter.apply([i * 0.1], (60 + i) * FRAME_MS, 1);
      lag = i * 0.1 - value;
    }
    // 3 units per second: behind by less than one frame.
    expect(lag).toBeLessThan(0.1);
  });

  it('measures speed in units, so that scaled input gives scaled output', () => {
    const small = new OneEuroFilter(constants);
    const large = new OneEuroFilter(constants);
    for (const [i, x] of [0, 0.3, 0.2, 0.9, 1.4].entries()) {
      const [a = NaN] = small.apply([x], i * FRAME_MS, 1);
      const [b = NaN] = large.apply([x * 64], i * FRAME_MS, 64);
      expect(b).toBeCloseTo(a * 64, 12);
    }
  });

  it('stays finite when two frames carry one time', () => {
    const filter = new OneEuroFilter(constants);
    filter.apply([0], 5, 1);
    const [value = NaN] = filter.apply([1], 5, 1);
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThanOrEqual(1);
  });

  it('starts anew when the number of values changes', () => {
    const filter = new OneEuroFilter(constants);
    filter.apply([0], 0, 1);
    expect(filter.apply([5, 6], FRAME_MS, 1)).toEqual([5, 6]);
  });
});
