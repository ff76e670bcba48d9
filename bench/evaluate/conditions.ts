/**
 * What an image goes through before it is evaluated: worse conditions than it was taken under, made from the image alone, so that
 * every run sees the same. Labels move with the pixels.
 */
import sharp, { type Sharp } from 'sharp';
import type { Box } from '../../src/pipeline/roi';
import type { Frame, Row } from './dataset';
import type { Label } from './metrics';

export const CONDITIONS = ['none', 'occluded', 'dark', 'small', 'blurred', 'mirrored'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** Side in pixels that small subjects are shrunk to before they are enlarged again. */
const SMALL_PIXELS = 40;
/** Share of the light that is left. */
const DARK_SHARE = 0.25;
/** Standard deviation of the blur, in longer sides of the subject's box. */
const BLUR_SIDES = 0.02;
/** Side of the gray patch, in longer sides of the box; it covers the lower left quarter of the box. */
const PATCH_SIDES = 0.5;
const PATCH_VALUE = 128;

/** The row and its frame under a condition; `mirror` is the model's table of mirrored landmarks. */
export async function underCondition(
  condition: Condition,
  row: Row,
  frame: Frame,
  mirror: readonly number[],
): Promise<{ readonly row: Row; readonly frame: Frame }> {
  const side = Math.max(row.box.width, row.box.height);
  switch (condition) {
    case 'none':
      return { row, frame };
    case 'occluded':
      return { row, frame: occluded(row, frame, side * PATCH_SIDES) };
    case 'dark':
      return { row, frame: { ...frame, data: scaled(frame.data, DARK_SHARE) } };
    case 'small':
      return { row, frame: await shrunk(frame, Math.min(1, SMALL_PIXELS / side)) };
    case 'blurred':
      return { row, frame: await blurred(frame, side * BLUR_SIDES) };
    case 'mirrored':
      return { row: mirroredRow(row, frame.width, mirror), frame: mirroredFrame(frame) };
  }
}

/** Points of an image as those of its mirror image. */
export function mirroredPoints(
  points: readonly Label[],
  width: number,
  mirror: readonly number[],
): Label[] {
  return points.map((_, index) => {
    const point = points[mirror[index] ?? index] ?? null;
    return point && { x: width - point.x, y: point.y };
  });
}

function occluded({ box }: Row, frame: Frame, side: number): Frame {
  const corner = { x: box.x, y: box.y + box.height - side };
  return painted(frame, { ...corner, width: side, height: side }, PATCH_VALUE);
}

/** The frame with a rectangle of one gray, begun at a whole pixel; what lies outside the frame is cut off. */
export function painted(frame: Frame, { x, y, width, height }: Box, gray: number): Frame {
  const data = frame.data.slice();
  const [left, top] = [Math.max(0, Math.round(x)), Math.max(0, Math.round(y))];
  for (let row = top; row < Math.min(frame.height, top + height); row += 1) {
    for (let column = left; column < Math.min(frame.width, left + width); column += 1) {
      const pixel = (row * frame.width + column) * 4;
      data.fill(gray, pixel, pixel + 3);
    }
  }
  return { ...frame, data };
}

/** Colors times the share; alpha stays. */
function scaled(data: Uint8Array, share: number): Uint8Array {
  return data.map((value, index) => (index % 4 === 3 ? value : Math.round(value * share)));
}

async function shrunk(frame: Frame, share: number): Promise<Frame> {
  const { width, height } = frame;
  const small = {
    width: Math.max(1, Math.round(width * share)),
    height: Math.max(1, Math.round(height * share)),
  };
  const data = await imageOf(frame)
    .resize({ ...small, fit: 'fill' })
    .raw()
    .toBuffer();
  const enlarged = imageOf({ ...small, data }).resize({ width, height, fit: 'fill' });
  return { ...frame, data: await enlarged.raw().toBuffer() };
}

async function blurred(frame: Frame, sigma: number): Promise<Frame> {
  // The least that sharp takes.
  const data = await imageOf(frame).blur(Math.max(0.3, sigma)).raw().toBuffer();
  return { ...frame, data };
}

function imageOf({ data, width, height }: Frame): Sharp {
  return sharp(data, { raw: { width, height, channels: 4 } });
}

function mirroredFrame({ data, width, height }: Frame): Frame {
  const mirrored = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = (y * width + width - 1 - x) * 4;
      mirrored.set(data.subarray(from, from + 4), (y * width + x) * 4);
    }
  }
  return { data: mirrored, width, height };
}

function mirroredRow(row: Row, width: number, mirror: readonly number[]): Row {
  const points = mirroredPoints(row.points, width, mirror);
  return { ...row, points, box: { ...row.box, x: width - row.box.x - row.box.width } };
}
