import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import type { Heatmaps } from '../../src/engine/backend';
import type { CentersCodec } from '../../src/model/types';
import { decodeCenters } from '../../src/pipeline/centers_codec';
import { exponential } from '../../src/model/exponential';

const codec: CentersCodec = { type: 'centers', stride: 4, scale: 0.01, unit: 16 };

/** 8 x 8 cells that say "nothing" (p = 1 / (1 + e^5)), but for the cells given: [column, row, ...channels]. */
function finderOutput(channels: 4 | 6, cells: readonly (readonly number[])[]): Heatmaps {
  const data = new Int16Array(8 * 8 * channels);
  for (let i = 0; i < data.length; i += channels) data[i] = -500;
  for (const [column = 0, row = 0, ...values] of cells) {
    data.set(values, (row * 8 + column) * channels);
  }
  return { data, height: 8, width: 8, channels };
}

describe('decodeCenters', () => {
  it('gives center, size, angle and score, as worked out by hand', () => {
    // p = 1 / (1 + e^-1.1). Size 16 * e^0.5. Center ((2 + 0.5 + 0.25) * 4, (5 + 0.5 - 0.5) * 4).
    const [find, ...others] = decodeCenters(
      finderOutput(6, [[2, 5, 110, 50, 25, -50, 80, 60]]),
      codec,
      0.5,
    );
    expect(others).toEqual([]);
    expect(find).toMatchObject({ x: 11, y: 20 });
    expect(find?.cos).toBeCloseTo(0.8, 14);
    expect(find?.sin).toBeCloseTo(0.6, 14);
    expect(find?.size).toBeCloseTo(16 * 1.6487212707001282, 12);
    expect(find?.score).toBeCloseTo(0.7502601055951177, 12);
  });

  it('has rotation 0 without the channels cos and sin, and where both are 0', () => {
    expect(decodeCenters(finderOutput(4, [[2, 5, 110, 0, 0, 0]]), codec, 0.5)).toMatchObject([
      { cos: 1, sin: 0, size: 16, x: 10, y: 22 },
    ]);
    expect(decodeCenters(finderOutput(6, [[2, 5, 110]]), codec, 0.5)).toMatchObject([
      { cos: 1, sin: 0 },
    ]);
  });

  it('takes scores from minScore on', () => {
    const output = finderOutput(4, [[3, 3, 0, 0, 0, 0]]);
    expect(decodeCenters(output, codec, 0.5)).toHaveLength(1);
    expect(decodeCenters(output, codec, 0.500001)).toHaveLength(0);
  });

  it('takes the first of equal neighbors, and no cell beside a larger one, also at the border', () => {
    const small = -180;
    const output = finderOutput(4, [
      [0, 0, 100, small],
      [1, 1, 99, small],
      [4, 4, 100, small],
      [5, 4, 100, small],
      [3, 5, 100, small],
      [7, 7, 100, small],
    ]);
    // (3, 5) touches (4, 4) and comes after it. Sizes of 2.6 pixels drop nothing.
    expect(decodeCenters(output, codec, 0.5).map(({ x, y }) => [x, y])).toEqual([
      [2, 2],
      [18, 18],
      [30, 30],
    ]);
  });

  it('is sorted by score, equal ones from the top', () => {
    const small = -180;
    const output = finderOutput(4, [
      [1, 1, 100, small],
      [5, 1, 200, small],
      [1, 5, 100, small],
    ]);
    expect(decodeCenters(output, codec, 0.5).map(({ x, y }) => [x, y])).toEqual([
      [22, 6],
      [6, 6],
      [6, 22],
    ]);
  });

  it('drops what lies nearer to a better one than 0.4 of the larger size', () => {
    // Centers 3 cells = 12 pixels apart; 0.4 * 30 = 12 is not nearer, 0.4 * 31 is.
    const sized = (pixels: number) => Math.round(100 * Math.log(pixels / 16));
    const pair = (pixels: number) =>
      decodeCenters(
        finderOutput(4, [
          [1, 1, 200, sized(4)],
          [4, 1, 100, sized(pixels)],
        ]),
        codec,
        0.5,
      ).map(({ x }) => x);
    expect(pair(29)).toEqual([6, 18]);
    expect(pair(31)).toEqual([6]);
  });

  it('survives values at the ends of 16 bits', () => {
    const coarse = { ...codec, scale: 1000 };
    const [find] = decodeCenters(finderOutput(4, [[3, 3, 32767, 32767, 0, 0]]), coarse, 0.5);
    expect(find).toMatchObject({ score: 1, size: Infinity });
    const [other] = decodeCenters(finderOutput(4, [[3, 3, 32767, -32768, 0, 0]]), coarse, 0.5);
    expect(other?.size).toBe(0);
  });
});

/** Written by training. */
interface VectorCase {
  readonly size: number;
  readonly channels: number;
  readonly scale: number;
  readonly unit: number;
  readonly stride: number;
  readonly threshold: number;
  readonly values: readonly number[];
  readonly subjects: readonly {
    readonly x: number;
    readonly y: number;
    readonly size: number;
    readonly angle: number;
    readonly score: number;
  }[];
}

describe('exponential', () => {
  it.each([0, 1e-9, 0.06, 1, -1, 5.5, -12.25, 40, -90])('of %d is near Math.exp', (power) => {
    expect(exponential(power) / Math.exp(power)).toBeCloseTo(1, 12);
  });

  it('has the bits that IEEE arithmetic gives', () => {
    expect(exponential(0)).toBe(1);
    // 1 + 2^-30 + 2^-61: the last term is below half a unit of the last place.
    expect(exponential(2 ** -30)).toBe(1 + 2 ** -30);
  });
});

test.each(
  (JSON.parse(readFileSync('test/vectors/centers_codec.json', 'utf8')) as { cases: VectorCase[] })
    .cases,
)('decodes a map of $size cells and $channels channels as training does', (vector) => {
  const { size, channels, scale, unit, stride, threshold, values, subjects } = vector;
  const found = decodeCenters(
    { data: Int16Array.from(values), height: size, width: size, channels },
    { type: 'centers', stride, scale, unit },
    threshold,
  );
  expect(found).toHaveLength(subjects.length);
  subjects.forEach((subject, i) => {
    const { x = NaN, y = NaN, size: pixels = NaN, cos = NaN, sin = NaN, score } = found[i] ?? {};
    expect(x).toBeCloseTo(subject.x, 9);
    expect(y).toBeCloseTo(subject.y, 9);
    expect(pixels).toBeCloseTo(subject.size, 9);
    expect(Math.atan2(sin, cos)).toBeCloseTo(subject.angle, 9);
    expect(score).toBeCloseTo(subject.score, 9);
  });
});
