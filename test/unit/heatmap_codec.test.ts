import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Heatmaps } from '../../src/engine/backend';
import type { SoftmaxCodec } from '../../src/model/types';
import { decodeHeatmaps } from '../../src/pipeline/heatmap_codec';

const codec: SoftmaxCodec = { type: 'softmax', stride: 4, window: 5, scale: 0.5 };

function heatmap(rows: number[][]): Heatmaps {
  return {
    data: Int16Array.from(rows.flat()),
    height: rows.length,
    width: rows[0]?.length ?? 0,
    channels: 1,
  };
}

/** Heatmap of `size` x `size` cells whose softmax is a Gaussian of `sigma` cells around (x, y), in cells. */
function gaussian(size: number, x: number, y: number, sigma: number, scale: number): Heatmaps {
  const data = new Int16Array(size * size);
  for (let i = 0; i < data.length; i += 1) {
    const dx = (i % size) - x;
    const dy = Math.floor(i / size) - y;
    const logit = -(dx * dx + dy * dy) / (2 * sigma * sigma);
    data[i] = Math.max(-32768, 20000 + Math.round(logit / scale));
  }
  return { data, height: size, width: size, channels: 1 };
}

describe('decodeHeatmaps', () => {
  it('gives the center of a lone peak', () => {
    const [point] = decodeHeatmaps(
      heatmap([
        [-9999, -9999, -9999],
        [-9999, -9999, 9999],
        [-9999, -9999, -9999],
      ]),
      codec,
    );
    expect(point).toEqual({ x: 10, y: 6, score: 1 });
  });

  it('weighs cells by exp(scale * difference)', () => {
    // Two cells, one lower by 2: weights 1 and exp(-1), mean exp(-1) / (1 + exp(-1)) = 0.268941421...
    const [point] = decodeHeatmaps(heatmap([[10, 8]]), codec);
    expect(point?.x).toBeCloseTo((0.2689414213699951 + 0.5) * 4, 13);
    expect(point?.y).toBe(2);
    expect(point?.score).toBe(1);
  });

  it('scores the share of probability inside the window', () => {
    // Peak in column 0; window of 5 covers columns 0..2. Columns 3..9 hold 7 of 1 + 2 + 7 equal shares.
    const [point] = decodeHeatmaps(heatmap([new Array<number>(10).fill(3)]), codec);
    expect(point?.score).toBeCloseTo(0.3, 14);
    expect(point?.x).toBeCloseTo((1 + 0.5) * 4, 14);
  });

  it('takes the first of equal peaks in row-major order', () => {
    const rows = Array.from({ length: 9 }, () => new Array<number>(9).fill(-32768));
    const first = rows[1];
    const second = rows[8];
    if (first && second) [first[8], second[0]] = [32767, 32767];
    const [point] = decodeHeatmaps(heatmap(rows), codec);
    expect(point).toEqual({ x: 34, y: 6, score: 0.5 });
  });

  it('keeps channels apart', () => {
    const data = Int16Array.from([5, -100, -100, 7, -100, -100, -100, -100]);
    const points = decodeHeatmaps(
      { data, height: 2, width: 2, channels: 2 },
      { ...codec, scale: 8 },
    );
    expect(points).toEqual([
      { x: 2, y: 2, score: 1 },
      { x: 6, y: 2, score: 1 },
    ]);
  });

  it.each([1e-6, 0.001, 0.0123, 0.5, 3, 40])(
    'follows exp for every difference at scale %d',
    (scale) => {
      for (const below of [0, 1, 2, 3, 255, 256, 257, 1000, 32767, 65535]) {
        const [point] = decodeHeatmaps(heatmap([[32767, 32767 - below]]), {
          type: 'softmax',
          stride: 1,
          window: 3,
          scale,
        });
        const weight = Math.exp(-scale * below);
        const expected = weight / (1 + weight) + 0.5;
        // 65,535 rounded products of a base that is itself rounded: relative error below 65,536 * 2^-52.
        expect(Math.abs((point?.x ?? NaN) - expected)).toBeLessThan(1e-11);
      }
    },
  );

  // A window of 5 cuts up to 0.1 cell off a Gaussian of 1.2 cells that lies between two cells; see the next test.
  it.each([
    { sigma: 1, window: 5 },
    { sigma: 1.2, window: 7 },
  ])(
    'returns a point encoded with sigma $sigma, window $window within 0.05 cell',
    ({ sigma, window }) => {
      for (const scale of [0.001, 0.0123]) {
        for (const [x, y] of [
          [16, 16],
          [10.3, 20.49],
          [7.5, 7.5],
          [25.77, 4.21],
        ] as const) {
          const options = { ...codec, scale, window };
          const [point] = decodeHeatmaps(gaussian(32, x, y, sigma, scale), options);
          expect(Math.abs((point?.x ?? NaN) / 4 - (x + 0.5))).toBeLessThan(0.05);
          expect(Math.abs((point?.y ?? NaN) / 4 - (y + 0.5))).toBeLessThan(0.05);
          expect(point?.score).toBeGreaterThan(0.9);
        }
      }
    },
  );

  it('is off by no more than the window cuts off: 0.1 cell for sigma 1.2 and window 5', () => {
    for (let fraction = 0; fraction < 1; fraction += 0.05) {
      const [point] = decodeHeatmaps(gaussian(32, 16 + fraction, 9, 1.2, 0.001), {
        ...codec,
        scale: 0.001,
      });
      expect(Math.abs((point?.x ?? NaN) / 4 - (16.5 + fraction))).toBeLessThan(0.1);
      expect(Math.abs((point?.y ?? NaN) / 4 - 9.5)).toBeLessThan(1e-9);
    }
  });
});

/** One square heatmap and what the twin in training/heatmap_codec.py makes of it. */
interface VectorCase {
  readonly size: number;
  readonly window: number;
  readonly scale: number;
  readonly stride: number;
  readonly values: readonly number[];
  readonly x: number;
  readonly y: number;
  readonly score: number;
}

describe('vectors written by training', () => {
  const file = new URL('../vectors/heatmap_codec.json', import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: VectorCase[] };
  it.each(cases)(
    '$size cells, window $window, scale $scale, stride $stride',
    ({ size, window, scale, stride, values, x, y, score }) => {
      const [point] = decodeHeatmaps(
        { data: Int16Array.from(values), height: size, width: size, channels: 1 },
        { type: 'softmax', stride, window, scale },
      );
      expect(point?.x).toBeCloseTo(x, 12);
      expect(point?.y).toBeCloseTo(y, 12);
      expect(point?.score).toBeCloseTo(score, 12);
    },
  );
});
