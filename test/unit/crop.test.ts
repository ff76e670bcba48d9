/** The reference cropper against numbers worked out by hand and against exact rational sampling. */
import { describe, expect, test } from 'vitest';
import { cropFrame } from '../../src/model/crop';
import { cropCases, frameBytes } from '../cases/crop';

const ONE = 65536;

/** RGBA of a gray frame. */
function grayFrame(values: readonly number[], width: number): Parameters<typeof cropFrame>[0] {
  const data = Uint8Array.from(values.flatMap((value) => [value, value, value, 9]));
  const height = values.length / width;
  return { data, width, height, affine: [0, 0, ONE, 0, 0, ONE], taps: 1 };
}

/** First channel of each crop pixel. */
function red(crop: Uint8Array): number[] {
  return [...crop.filter((_, index) => index % 3 === 0)];
}

describe('cropFrame', () => {
  const frame = grayFrame([0, 100, 200, 50, 150, 250], 3);

  test('copies pixels, without alpha, for the identity', () => {
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const source = { ...frame, data, width: 2, height: 1 };
    expect([...cropFrame(source, 1, 2)]).toEqual([1, 2, 3, 5, 6, 7]);
  });

  test('interpolates between centers, rounding half up', () => {
    const quarter = { ...frame, affine: [ONE / 4, 0, ONE, 0, 0, ONE] as const };
    expect(red(cropFrame(quarter, 1, 2))).toEqual([25, 125]);
    const middle = { ...frame, affine: [ONE / 2, ONE / 2, ONE, 0, 0, ONE] as const };
    expect(red(cropFrame(middle, 1, 2))).toEqual([75, 175]);
    const half = { ...grayFrame([0, 1], 2), affine: [ONE / 2, 0, 0, 0, 0, 0] as const };
    expect(red(cropFrame(half, 1, 1))).toEqual([1]);
  });

  test('repeats the border outside', () => {
    const outside = { ...frame, affine: [-5 * ONE, -9 * ONE, 6 * ONE, 0, 0, 20 * ONE] as const };
    expect(red(cropFrame(outside, 2, 3))).toEqual([0, 100, 200, 50, 150, 250]);
  });

  test('averages its taps around the center, along both axes of the crop', () => {
    // Two taps at -1/4 and +1/4 of a step of 2 pixels: half a pixel to each side of column 1.
    const twoTaps = { ...frame, affine: [ONE, ONE / 2, 2 * ONE, 0, 0, 0] as const, taps: 2 };
    expect(red(cropFrame(twoTaps, 1, 1))).toEqual([125]);
    const rotated = { ...frame, affine: [ONE, ONE / 2, 0, ONE, -ONE, 0] as const, taps: 2 };
    // Taps at columns 0.75 and 1.25, rows 0.25 and 0.75: 87.5, 112.5, 137.5 and 162.5, each rounded up before the mean.
    expect(red(cropFrame(rotated, 1, 1))).toEqual([126]);
  });

  test('truncates tap offsets towards zero on both sides', () => {
    // Steps of 3: tap offsets of +-3/4, truncated to 0, so that all taps fall on the center. Rounded down, three of four
    // would fall below 512 / 65536, where 100 * 2 / 256 turns into 100 / 256 and the pixel from 1 to 0.
    const source = { ...frame, affine: [512, 0, 3, 0, 3, 3] as const, taps: 2 };
    expect(red(cropFrame(source, 1, 1))).toEqual([1]);
    expect(red(cropFrame({ ...source, affine: [511, 0, 3, 0, 3, 3] }, 1, 1))).toEqual([0]);
  });

  test.each(cropCases(9).map((entry) => [entry.name, entry] as const))(
    'is within rounding of exact sampling: %s',
    (_, entry) => {
      const source = { ...entry, data: frameBytes(entry) };
      const exact = sampleExactly(source, 9);
      const actual = cropFrame(source, 9, 9);
      // 8 fraction bits move a sample by up to 1/256 pixel on each axis: up to two levels of 255, and rounding twice.
      actual.forEach((value, index) => {
        expect(Math.abs(value - (exact[index] ?? NaN))).toBeLessThanOrEqual(3.1);
      });
    },
  );
});

/** The same sampling in floating point, from the definition. */
function sampleExactly(source: Parameters<typeof cropFrame>[0], size: number): number[] {
  const [x0, y0, ux, uy, vx, vy] = source.affine.map((value) => value / ONE) as unknown as [
    ...typeof source.affine,
  ];
  const { data, width, height, taps } = source;
  const pixel = (x: number, y: number, channel: number): number => {
    const column = Math.max(0, Math.min(width - 1, x));
    const row = Math.max(0, Math.min(height - 1, y));
    return data[(row * width + column) * 4 + channel] ?? NaN;
  };
  const values: number[] = [];
  for (let index = 0; index < size * size * 3; index++) {
    const channel = index % 3;
    const column = Math.floor(index / 3) % size;
    const row = Math.floor(index / 3 / size);
    let sum = 0;
    for (let tap = 0; tap < taps * taps; tap++) {
      const i = column + ((tap % taps) + 0.5) / taps - 0.5;
      const j = row + (Math.floor(tap / taps) + 0.5) / taps - 0.5;
      const x = x0 + i * ux + j * vx;
      const y = y0 + i * uy + j * vy;
      const fx = x - Math.floor(x);
      const fy = y - Math.floor(y);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      sum +=
        (1 - fy) * ((1 - fx) * pixel(left, top, channel) + fx * pixel(left + 1, top, channel)) +
        fy * ((1 - fx) * pixel(left, top + 1, channel) + fx * pixel(left + 1, top + 1, channel));
    }
    values.push(sum / (taps * taps));
  }
  return values;
}
