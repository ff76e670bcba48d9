/**
 * Checks what goes into the engine, once, so that no backend reads outside a frame. No pixels are touched here.
 */
import { BitmarksError } from '../errors';
import { MAX_FRAME_SIDE, MAX_POSITION_PIXELS, MAX_TAPS } from '../model/crop';
import type { Shape } from '../model/types';
import type { CropAffine, EngineFrame, EngineInput } from './backend';

/** In 1/65536 pixels: every position of a crop stays within, so that 32-bit integers hold all sums. */
const MAX_POSITION = MAX_POSITION_PIXELS * 65536;

/** Throws 'input/invalid' if the input does not fit a network with this input shape. */
export function checkEngineInput(input: EngineInput, shape: Shape): void {
  const [height, width, channels] = shape;
  if (input.kind === 'crop') {
    const expected = height * width * channels;
    if (input.data.length !== expected) {
      throw invalid(`the crop has ${input.data.length} bytes, expected ${expected} of RGB`);
    }
    return;
  }
  checkEngineFrame(input);
  if (!Number.isInteger(input.taps) || input.taps < 1 || input.taps > MAX_TAPS) {
    throw invalid(`the crop has ${input.taps} taps, expected an integer from 1 to ${MAX_TAPS}`);
  }
  checkAffine(input.affine, height, width);
}

/** Throws 'input/invalid' if the bytes are not those of a frame of its size. */
export function checkEngineFrame({ data, width, height }: EngineFrame): void {
  checkSide('width', width);
  checkSide('height', height);
  const expected = width * height * 4;
  if (data.length === expected) return;
  throw invalid(
    `the frame has ${data.length} bytes, expected ${expected} for ${width} x ${height} RGBA`,
  );
}

function checkSide(name: string, side: number): void {
  if (Number.isInteger(side) && side >= 1 && side <= MAX_FRAME_SIDE) return;
  throw invalid(
    `the frame's ${name} is ${side}, expected 1 to ${MAX_FRAME_SIDE} pixels; scale it down first`,
  );
}

/** Positions are linear in column and row, so the corners of the crop, half a step further out for taps, bound them all. */
function checkAffine(affine: CropAffine, height: number, width: number): void {
  const [x0, y0, ux, uy, vx, vy] = affine;
  const columns = [-0.5, width - 0.5];
  const rows = [-0.5, height - 0.5];
  const isInside = columns.every((i) =>
    rows.every(
      (j) =>
        Math.abs(x0 + i * ux + j * vx) <= MAX_POSITION &&
        Math.abs(y0 + i * uy + j * vy) <= MAX_POSITION,
    ),
  );
  if (isInside && affine.every(Number.isInteger)) return;
  throw invalid(
    `the crop's affine is [${affine.join(', ')}], expected integers with all positions within +-${MAX_POSITION_PIXELS} pixels`,
  );
}

function invalid(message: string): BitmarksError {
  return new BitmarksError('input/invalid', message);
}
