/** Conditions of the evaluation: what becomes of pixels and labels. */
import { expect, test } from 'vitest';
import { mirroredPoints, underCondition, type Condition } from '../../bench/evaluate/conditions';
import type { Frame, Row } from '../../bench/evaluate/dataset';

const [WIDTH, HEIGHT] = [200, 160];
const row: Row = {
  ...{
    name: 'x',
    path: 'x',
    normalizer: 10,
    torso: null,
    yaw: null,
    mouthOpen: null,
    skinTone: null,
  },
  points: [{ x: 20, y: 30 }, null, { x: 120.5, y: 110 }],
  box: { x: 20, y: 30, width: 100, height: 80 },
};
const mirror = [2, 1, 0];

/** A checkerboard of 4 pixels, brighter to the right. */
const frame: Frame = {
  width: WIDTH,
  height: HEIGHT,
  data: Uint8Array.from({ length: WIDTH * HEIGHT * 4 }, (_, index) => {
    if (index % 4 === 3) return 255;
    const [x, y] = [(index >> 2) % WIDTH, Math.floor((index >> 2) / WIDTH)];
    return ((x >> 2) + (y >> 2)) % 2 === 0 ? x + 40 : 0;
  }),
};
const redAt = ({ data }: Frame, x: number, y: number): number => data[(y * WIDTH + x) * 4] ?? NaN;
const under = (condition: Condition) => underCondition(condition, row, frame, mirror);

/** Mean difference of neighbors in a row: how sharp the image is. */
function sharpness(image: Frame): number {
  let sum = 0;
  for (let x = 1; x < WIDTH; x += 1) sum += Math.abs(redAt(image, x, 80) - redAt(image, x - 1, 80));
  return sum / (WIDTH - 1);
}

test('none changes nothing', async () => {
  expect(await under('none')).toEqual({ row, frame });
});

test('occluded covers the lower left quarter of the box and nothing else', async () => {
  const { frame: changed, row: same } = await under('occluded');
  expect(same).toBe(row);
  for (const [x, y] of [
    [20, 60],
    [69, 109],
    [40, 80],
  ] as const)
    expect(redAt(changed, x, y)).toBe(128);
  for (const [x, y] of [
    [19, 80],
    [70, 80],
    [40, 59],
    [40, 110],
  ] as const) {
    expect(redAt(changed, x, y)).toBe(redAt(frame, x, y));
  }
});

test('dark leaves a quarter of the light', async () => {
  const { frame: changed } = await under('dark');
  expect(redAt(changed, 160, 80)).toBe(Math.round(redAt(frame, 160, 80) / 4));
  expect(changed.data[3]).toBe(255);
});

test('small and blurred lose detail and keep size and brightness', async () => {
  for (const condition of ['small', 'blurred'] as const) {
    const { frame: changed } = await under(condition);
    expect(changed).toMatchObject({ width: WIDTH, height: HEIGHT });
    expect(changed.data).toHaveLength(frame.data.length);
    expect(sharpness(changed)).toBeLessThan(0.8 * sharpness(frame));
    const mean = (image: Frame): number =>
      image.data.reduce((sum, value) => sum + value, 0) / image.data.length;
    expect(Math.abs(mean(changed) - mean(frame))).toBeLessThan(3);
  }
});

test('mirrored moves pixels, points and box alike, and twice is none', async () => {
  const once = await under('mirrored');
  expect(redAt(once.frame, 0, 5)).toBe(redAt(frame, WIDTH - 1, 5));
  expect(once.row.points).toEqual([{ x: 79.5, y: 110 }, null, { x: 180, y: 30 }]);
  expect(once.row.box).toEqual({ x: 80, y: 30, width: 100, height: 80 });
  expect(mirroredPoints(once.row.points, WIDTH, mirror)).toEqual(row.points);
  const twice = await underCondition('mirrored', once.row, once.frame, mirror);
  expect(twice.frame.data).toEqual(frame.data);
});
