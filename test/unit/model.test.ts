/** The reference numerics and weight codes, against numbers worked out by hand and against exact integers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  conv2d,
  imageActivations,
  maxPool2d,
  requantize,
  requantizeValue,
  sat16,
  upsample2d,
} from '../../src/model/numerics';
import type { Shape } from '../../src/model/types';
import { packedSizeBytes, unpackWeights, weightCount } from '../../src/model/weights';
import { packWeights, smallestShift } from '../helpers/model_builder';

const int16 = fc.integer({ min: -32768, max: 32767 });

describe('sat16', () => {
  test.each([
    [0, 0],
    [32767, 32767],
    [32768, 32767],
    [-32768, -32768],
    [-32769, -32768],
    [2 ** 31 - 1, 32767],
  ])('%i becomes %i', (value, expected) => {
    expect(sat16(value)).toBe(expected);
  });
});

describe('requantizeValue', () => {
  test.each([
    // x, m, b, s, qmax, activation
    { args: [100, 32767, 0, 0, 127], expected: 100 }, // 3276700 + 16384 >> 15 = 100
    { args: [3, 16384, 0, 0, 127], expected: 2 }, // 1.5 rounds up
    { args: [-3, -16384, 0, 0, 127], expected: 2 },
    { args: [-3, 16384, 10, 0, 127], expected: 9 }, // -1.5 rounds up to -1
    { args: [-5, 32767, 0, 0, 127], expected: 0 },
    { args: [1000, 32767, 24, 3, 127], expected: 127 },
    { args: [1000, 32767, 15, 3, 127], expected: 126 }, // 1015 >> 3, floor
    { args: [32767, 32767, 32767, 8, 127], expected: 127 }, // saturates at 32767
    { args: [32767, 32767, 32767, 15, 127], expected: 0 },
    { args: [-32768, 32767, -32768, 15, 127], expected: 0 },
    { args: [-32768, -32767, 0, 0, 31], expected: 31 },
    { args: [0, 0, -1, 15, 127], expected: 0 },
    { args: [0, 0, 5, 0, 1], expected: 1 },
  ] as const)('$args gives $expected', ({ args: [x, m, b, s, qmax], expected }) => {
    expect(requantizeValue(x, m, b, s, qmax)).toBe(expected);
  });

  test('equals the formula in exact integers', () => {
    const norm = fc.tuple(
      int16,
      fc.integer({ min: -32767, max: 32767 }),
      int16,
      fc.integer({ min: 0, max: 15 }),
      fc.integer({ min: 2, max: 8 }),
    );
    fc.assert(
      fc.property(norm, ([x, m, b, s, bits]) => {
        const floorDivide = (value: bigint, divisor: bigint): bigint =>
          value >= 0n ? value / divisor : -((-value + divisor - 1n) / divisor);
        const clamp = (value: bigint, low: bigint, high: bigint): bigint =>
          value < low ? low : value > high ? high : value;
        const y = floorDivide(BigInt(x) * BigInt(m) + 16384n, 32768n);
        const z = clamp(y + BigInt(b), -32768n, 32767n);
        const expected = clamp(floorDivide(z, 2n ** BigInt(s)), 0n, 2n ** BigInt(bits - 1) - 1n);
        expect(BigInt(requantizeValue(x, m, b, s, 2 ** (bits - 1) - 1))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

test('requantize reads its parts as one concatenation', () => {
  const parts = [
    { data: Int16Array.of(10, 20, 30, 40), shape: [1, 2, 2] as Shape },
    { data: Int16Array.of(-7, 9), shape: [1, 2, 1] as Shape },
  ];
  const norm = {
    multiplier: Int16Array.of(32767, 16384, -32767),
    bias: Int16Array.of(1, 0, 0),
    shift: 0,
  };
  const result = requantize(parts, norm, 8);
  expect(result.shape).toEqual([1, 2, 3]);
  expect([...result.data]).toEqual([11, 10, 7, 31, 20, 0]);
});

test('imageActivations drops the low bits', () => {
  expect([...imageActivations(Uint8Array.of(0, 1, 255), [1, 1, 3], 1).data]).toEqual([0, 0, 127]);
});

describe('conv2d', () => {
  const ramp = { data: Uint8Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3, 1] as Shape };

  test('pads with zeros and keeps OHWI order', () => {
    const weights = Int8Array.of(1, 0, 0, 0, 10, 0, 0, 0, 100);
    const { data, shape } = conv2d(ramp, weights, {
      kernel: 3,
      stride: 1,
      outChannels: 1,
      shift: 0,
    });
    expect(shape).toEqual([2, 3, 1]);
    expect([...data]).toEqual([510, 620, 30, 40, 51, 62]);
  });

  test('stride 2 starts at the first pixel and rounds sizes up', () => {
    const { data, shape } = conv2d(ramp, Int8Array.of(7), {
      kernel: 1,
      stride: 2,
      outChannels: 1,
      shift: 0,
    });
    expect(shape).toEqual([1, 2, 1]);
    expect([...data]).toEqual([7, 21]);
  });

  test('output channels lie next to each other and read their own weights', () => {
    const input = { data: Uint8Array.of(3, 5), shape: [1, 1, 2] as Shape };
    const weights = Int8Array.of(1, 1, 1, -1, -1, 0);
    const { data } = conv2d(input, weights, { kernel: 1, stride: 1, outChannels: 3, shift: 0 });
    expect([...data]).toEqual([8, -2, -3]);
  });

  test('rounds half up before the shift and saturates after it', () => {
    const input = { data: Uint8Array.of(127), shape: [1, 1, 1] as Shape };
    const run = (weight: number, shift: number): number | undefined =>
      conv2d(input, Int8Array.of(weight), { kernel: 1, stride: 1, outChannels: 1, shift }).data[0];
    expect(run(1, 1)).toBe(64);
    expect(run(-1, 1)).toBe(-63);
    expect(run(-1, 8)).toBe(0);
    expect(run(1, 0)).toBe(127);
    const many = { data: new Uint8Array(600).fill(127), shape: [1, 1, 600] as Shape };
    for (const sign of [1, -1]) {
      const weights = new Int8Array(600).fill(sign * 127);
      const { data } = conv2d(many, weights, { kernel: 1, stride: 1, outChannels: 1, shift: 4 });
      expect(data[0]).toBe(sign > 0 ? 32767 : -32768);
    }
  });
});

test('maxPool2d takes the largest of each 2x2 window per channel', () => {
  const data = Int16Array.of(1, -1, 2, -2, 5, -9, 0, 0, 3, -3, 4, -4, -7, -8, -5, -6);
  const pooled = maxPool2d({ data, shape: [2, 4, 2] });
  expect(pooled.shape).toEqual([1, 2, 2]);
  expect([...pooled.data]).toEqual([4, -1, 5, 0]);
});

test('upsample2d repeats pixels', () => {
  const up = upsample2d({ data: Int16Array.of(1, 2, 3, 4), shape: [1, 2, 2] });
  expect(up.shape).toEqual([2, 4, 2]);
  expect([...up.data]).toEqual([1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4]);
});

describe('weight codes', () => {
  test('b1: lowest bit first, 1 is -1', () => {
    const tensor = { encoding: 'b1', outChannels: 9, kernel: 1, inChannels: 1 } as const;
    const weights = unpackWeights({ ...tensor, bytes: Uint8Array.of(0b10000001, 1) });
    expect([...weights]).toEqual([-1, 1, 1, 1, 1, 1, 1, -1, -1]);
  });

  test('t2: two bits, 0 is 0, 1 is +1, 3 is -1', () => {
    const tensor = { encoding: 't2', outChannels: 5, kernel: 1, inChannels: 1 } as const;
    const weights = unpackWeights({ ...tensor, bytes: Uint8Array.of(0b01001101, 3) });
    expect([...weights]).toEqual([1, -1, 0, 1, -1]);
  });

  test("i8: two's complement", () => {
    const tensor = { encoding: 'i8', outChannels: 3, kernel: 1, inChannels: 1 } as const;
    const weights = unpackWeights({ ...tensor, bytes: Uint8Array.of(127, 129, 255) });
    expect([...weights]).toEqual([127, -127, -1]);
  });

  test('what tests pack is what the reader unpacks', () => {
    const layout = { outChannels: 3, kernel: 3, inChannels: 7 };
    const count = weightCount(layout);
    expect(count).toBe(189);
    const values = { b1: [1, -1], t2: [0, 1, -1], i8: [-127, 0, 127, 5] } as const;
    for (const encoding of ['b1', 't2', 'i8'] as const) {
      const known = values[encoding];
      const expected = Array.from(
        { length: count },
        (_, index) => known[index % known.length] ?? 0,
      );
      const bytes = packWeights(encoding, count, (index) => expected[index] ?? 0);
      expect(bytes.length).toBe(packedSizeBytes(encoding, count));
      expect([...unpackWeights({ ...layout, encoding, bytes })]).toEqual(expected);
    }
  });
});

test('the smallest shift keeps every sum in 16 bits, one less does not', () => {
  for (const terms of [1, 27, 147, 257, 258, 259, 576, 4000]) {
    for (const encoding of ['b1', 'i8'] as const) {
      const largest = terms * (encoding === 'i8' ? 127 : 1) * 127;
      const shift = smallestShift(terms, encoding, 127);
      const stored = (t: number): number => (largest + (t > 0 ? 1 << (t - 1) : 0)) >> t;
      expect(stored(shift)).toBeLessThanOrEqual(32767);
      if (shift > 0) expect(stored(shift - 1)).toBeGreaterThan(32767);
    }
  }
});
