/** Every way in which an input does not fit, and the limits that still do. */
import { describe, expect, test } from 'vitest';
import type { EngineInput } from '../../src/engine/backend';
import { checkEngineInput } from '../../src/engine/input';
import type { BitmarksError } from '../../src/errors';

/** Height 6, width 6. */
const shape = [6, 6, 3] as const;

describe('checkEngineInput', () => {
  const frame = {
    kind: 'frame',
    data: new Uint8Array(64),
    width: 4,
    height: 4,
    affine: [0, 0, 65536, 0, 0, 65536],
    taps: 1,
  } as const;
  const bad: [name: string, input: EngineInput][] = [
    ['a crop of another size', { kind: 'crop', data: new Uint8Array(107) }],
    ['a frame of fewer bytes', { ...frame, data: new Uint8Array(63) }],
    ['a frame of more bytes', { ...frame, data: new Uint8Array(68) }],
    ['an empty frame', { ...frame, width: 0, data: new Uint8Array(0) }],
    ['a huge frame', { ...frame, width: 8193, height: 1, data: new Uint8Array(8193 * 4) }],
    ['a width that is no number', { ...frame, width: NaN }],
    ['no taps', { ...frame, taps: 0 }],
    ['9 taps', { ...frame, taps: 9 }],
    ['half a tap', { ...frame, taps: 1.5 }],
    ['a fractional affine', { ...frame, affine: [0.5, 0, 1, 0, 0, 1] }],
    ['an affine of NaN', { ...frame, affine: [NaN, 0, 1, 0, 0, 1] }],
    ['positions past 16384', { ...frame, affine: [2 ** 30, 0, 1, 0, 0, 1] }],
    ['steps past 16384', { ...frame, affine: [0, 0, 0, 0, 2 ** 28, 0] }],
  ];
  test.each(bad)('refuses %s', (_, input) => {
    expect(() => checkEngineInput(input, shape)).toThrow(
      expect.objectContaining({ code: 'input/invalid' }) as BitmarksError,
    );
  });

  const good: [name: string, input: EngineInput][] = [
    ['a crop of the right size', { kind: 'crop', data: new Uint8Array(108) }],
    ['a plain frame', frame],
    ['the largest taps', { ...frame, taps: 8 }],
    ['the widest frame', { ...frame, width: 8192, height: 1, data: new Uint8Array(8192 * 4) }],
    ['a position of exactly 16384 pixels', { ...frame, affine: [2 ** 30, -(2 ** 30), 0, 0, 0, 0] }],
    ['steps that just fit', { ...frame, affine: [0, 0, 195225786, 0, 0, 0] }],
  ];
  test.each(good)('accepts %s', (_, input) => {
    expect(() => checkEngineInput(input, shape)).not.toThrow();
  });

  test('says what was found and what was expected', () => {
    expect(() => checkEngineInput({ ...frame, data: new Uint8Array(63) }, shape)).toThrow(
      'the frame has 63 bytes, expected 64 for 4 x 4 RGBA',
    );
  });
});
