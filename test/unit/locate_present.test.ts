/** Score and next region of subjects of whom only a part is in the picture, and when two readings are one subject. */
import { describe, expect, it } from 'vitest';
import type { Heatmaps } from '../../src/engine/backend';
import type { RoiRule } from '../../src/model/types';
import { locateLandmarks, type Located } from '../../src/pipeline/locate';
import type { LandmarkModel } from '../../src/pipeline/pack_models';
import { roiFromBox } from '../../src/pipeline/roi';
import { isSameSubject } from '../../src/pipeline/same_subject';
import { TASKS } from '../../src/pipeline/tasks';

const frame = { width: 640, height: 480 };
/** The crop is 128 pixels of the frame at (256, 176): one crop pixel is one source pixel. */
const region = roiFromBox({ x: 256, y: 176, width: 128, height: 128 }, frame, 1);
const model = (roi: RoiRule): LandmarkModel => ({
  codec: { type: 'softmax', stride: 4, window: 5, scale: 0.01 },
  roi,
  cropSize: 128,
  landmarks: ['a', 'b', 'c', 'd'],
  mirror: [1, 0, 2, 3],
  connections: [],
});

/** Four heatmaps: a sharp peak at each cell given, flat ones for null, whose score is 9 / 1024 (window cut by the corner). */
function heatmaps(cells: readonly (readonly [number, number] | null)[]): Heatmaps {
  const data = new Int16Array(32 * 32 * 4);
  cells.forEach((cell, channel) => {
    for (let i = 0; i < 32 * 32; i += 1) {
      const isPeak = cell !== null && i === cell[1] * 32 + cell[0];
      data[i * 4 + channel] = cell === null ? 0 : isPeak ? 4000 : -4000;
    }
  });
  return { data, height: 32, width: 32, channels: 4 };
}

const read = (roi: RoiRule, cells: Parameters<typeof heatmaps>[0], from = region) =>
  locateLandmarks(from, frame, model(roi), () => Promise.resolve(heatmaps(cells)), 0);

describe('a model that reads the mirror image too', () => {
  const rule = { scale: 1.25, upright: null, presence: 0.4 };
  const cells = [[2, 4], [12, 7], [7, 24], null] as const;
  // In the mirror image column c is 31 - c, and the first two landmarks change places. There the second lies two rows lower.
  const mirrored = [[19, 9], [29, 4], [24, 24], null] as const;
  const readBoth = async (roi: RoiRule) => {
    const asked: boolean[] = [];
    const located = await locateLandmarks(
      region,
      frame,
      model(roi),
      (_region, isMirrored) => {
        asked.push(isMirrored);
        return Promise.resolve(heatmaps(isMirrored ? mirrored : cells));
      },
      0,
    );
    return { asked, points: located.points };
  };

  it('gives the means of both readings, in the places of the image as it is', async () => {
    const { asked, points } = await readBoth({ ...rule, mirrored: true });
    expect(asked).toEqual([false, true]);
    const { points: once } = await read(rule, cells);
    const [first, second, third, flat] = points;
    expect(first?.x).toBeCloseTo(once[0]?.x ?? NaN, 9);
    expect(first?.y).toBeCloseTo(once[0]?.y ?? NaN, 9);
    expect(second?.x).toBeCloseTo(once[1]?.x ?? NaN, 9);
    expect(second?.y).toBeCloseTo((once[1]?.y ?? NaN) + 4, 9);
    expect(third?.x).toBeCloseTo(once[2]?.x ?? NaN, 9);
    expect(flat?.score).toBeCloseTo(9 / 1024, 9);
  });

  it('is not read twice unless the pack says so', async () => {
    expect((await readBoth(rule)).asked).toEqual([false]);
    expect((await readBoth({ ...rule, mirrored: false })).asked).toEqual([false]);
  });
});

describe('a subject in part', () => {
  const cells = [[2, 4], [12, 7], [7, 24], null] as const;

  it('has the score of its best landmarks', async () => {
    const rule = { scale: 1.25, upright: null, presence: 0.4, landmark: 0.2 };
    expect((await read({ ...rule, count: 3 }, cells)).score).toBeCloseTo(1, 9);
    expect((await read({ ...rule, count: 2 }, cells)).score).toBeCloseTo(1, 9);
    expect((await read(rule, cells)).score).toBeCloseTo((3 + 9 / 1024) / 4, 9);
  });

  it('has a region around the landmarks that are present, not turned without an upright pair', async () => {
    const rule = { scale: 1.25, upright: null, presence: 0.4, landmark: 0.2 };
    const { next } = await read(rule, cells);
    // Cells (2, 4), (12, 7), (7, 24): x 10..50, y 18..98 in the crop.
    expect(next.sizePixels).toBeCloseTo(1.25 * 80, 9);
    expect(next.xCenter * 640).toBeCloseTo(256 + 30, 9);
    expect(next.yCenter * 480).toBeCloseTo(176 + 58, 9);
    expect(next.rotationRad).toBe(0);
    // With all landmarks the flat one, whose mean lies in the first corner, counts too.
    const all = { scale: 1.25, upright: null, presence: 0.4 };
    expect((await read(all, cells)).next.xCenter).toBeLessThan(next.xCenter);
    const turned = await read({ ...rule, upright: [0, 1] }, cells);
    expect(turned.next.rotationRad).toBeCloseTo(Math.atan2(12, 40), 9);
  });

  it('has a region that ends where the frame does; with all landmarks, as of a face, it goes on', async () => {
    // The crop reaches 64 pixels below the frame; the third landmark, at row 98, lies 34 below.
    const low = roiFromBox({ x: 256, y: 416, width: 128, height: 128 }, frame, 1);
    const rule = { scale: 1.25, upright: null, presence: 0.4, landmark: 0.2 };
    const { next, points } = await read(rule, cells, low);
    expect(points[2]?.y).toBeCloseTo(416 + 98, 9);
    // Rows 434 to 480.
    expect(next.sizePixels).toBeCloseTo(1.25 * 46, 9);
    expect(next.yCenter * 480).toBeCloseTo(457, 9);
    const whole = [
      [2, 4],
      [12, 7],
      [7, 24],
      [7, 24],
    ] as const;
    const all = { scale: 1.25, upright: null, presence: 0.4 };
    expect((await read(all, whole, low)).next.yCenter * 480).toBeCloseTo(416 + 58, 9);
  });

  it('keeps its region when fewer than two landmarks are present', async () => {
    const rule = { scale: 1.25, upright: null, presence: 0.4, landmark: 0.2, count: 2 };
    const located = await read(rule, [[2, 4], null, null, null]);
    expect(located.next).toBe(region);
    expect(located.score).toBeCloseTo((1 + 9 / 1024) / 2, 9);
  });
});

describe('isSameSubject', () => {
  const all = { scale: 1.25, upright: null, presence: 0.4 };
  /** A reading with a region of 100 pixels around (x, 100). */
  const reading = (x: number, scores: readonly number[], spread = 30): Located => {
    const next = roiFromBox({ x: x - 50, y: 50, width: 100, height: 100 }, frame, 1);
    const points = scores.map((score, i) => ({ x: x + spread * (i - 1), y: 100, score }));
    return { points, score: 1, roi: next, next };
  };

  it('compares landmarks of people, whose regions overlap', () => {
    const same = (a: Located, b: Located) =>
      isSameSubject(a, b, frame, TASKS.pose, { ...all, landmark: 0.2 });
    expect(same(reading(200, [1, 1, 1]), reading(209, [1, 1, 1]))).toBe(true);
    expect(same(reading(200, [1, 1, 1]), reading(211, [1, 1, 1]))).toBe(false);
    // Landmarks that one of the two has not found do not count: here only those at the center do.
    expect(same(reading(200, [1, 1, 0.1]), reading(200, [0, 1, 1], 90))).toBe(true);
    expect(same(reading(200, [1, 1, 0.1]), reading(200, [1, 1, 1], 90))).toBe(false);
    expect(same(reading(200, [1, 0, 0]), reading(200, [0, 1, 1]))).toBe(false);
  });

  it('takes faces whose regions cover each other for one', () => {
    const same = (a: Located, b: Located) => isSameSubject(a, b, frame, TASKS.face, all);
    expect(same(reading(200, [1, 1, 1]), reading(249, [1, 1, 1]))).toBe(true);
    expect(same(reading(200, [1, 1, 1]), reading(251, [1, 1, 1]))).toBe(false);
  });
});
