/** One region to landmarks, a region refined by them, and the one to read next. */
import { describe, expect, it } from 'vitest';
import {
  clearScore,
  locateLandmarks,
  locateUntilSettled,
  regionToFollow,
} from '../../src/pipeline/locate';
import { roiFromBox } from '../../src/pipeline/roi';
import type { RegionOfInterest } from '../../src/protocol/result';
import { FAKE_MODEL, fakeHeatmaps, type FakeFace } from '../helpers/fake_face';

const frame = { width: 640, height: 480 };

describe('locateLandmarks', () => {
  it('comes closer with every refinement and reports the region it read', async () => {
    const face: FakeFace = { x: 300, y: 200, size: 100, angleRad: 0.3 };
    const regions: RegionOfInterest[] = [];
    const infer = (region: RegionOfInterest) => {
      regions.push(region);
      return Promise.resolve(fakeHeatmaps(region, frame, [face]));
    };
    const start = roiFromBox({ x: 240, y: 150, width: 140, height: 140 }, frame, 1.2);
    const located = await locateLandmarks(start, frame, FAKE_MODEL, infer, 2);
    expect(regions).toHaveLength(3);
    expect(located.roi).toBe(regions[2]);
    expect(located.roi.rotationRad).toBeCloseTo(0.3, 1);
    expect(located.next.sizePixels).toBeCloseTo(150, 0);
    expect(located.score).toBeGreaterThan(0.99);
  });
});

describe('locateUntilSettled', () => {
  const start = roiFromBox({ x: 250, y: 150, width: 100, height: 100 }, frame, 1.5);
  /** Number of regions read, from `start`, of a face that changes from one reading to the next. */
  async function readings(faceAt: (reading: number) => FakeFace): Promise<number> {
    let count = 0;
    const infer = (region: RegionOfInterest) => {
      count += 1;
      return Promise.resolve(fakeHeatmaps(region, frame, [faceAt(count)]));
    };
    await locateUntilSettled(start, frame, FAKE_MODEL, infer, 1, 4);
    return count;
  }

  it('stops once the landmarks ask for the region they were read from', async () => {
    expect(await readings(() => ({ x: 300, y: 200, size: 100 }))).toBe(2);
  });

  it.each<[string, (reading: number) => FakeFace]>([
    ['moves', (reading) => ({ x: 300 + 15 * reading, y: 200, size: 100 })],
    ['grows', (reading) => ({ x: 300, y: 200, size: 100 * 1.12 ** reading })],
    ['turns', (reading) => ({ x: 300, y: 200, size: 100, angleRad: 0.1 * reading })],
  ])('goes on while the region %s, but not for ever', async (_, faceAt) => {
    expect(await readings(faceAt)).toBe(5);
  });
});

describe('regionToFollow', () => {
  const region = roiFromBox({ x: 250, y: 150, width: 100, height: 100 }, frame, 1.5);
  /** Whether a face is read next from the region around it, or else from the same once more. */
  async function moves(face: Partial<FakeFace>): Promise<boolean> {
    const seen = [{ x: 300, y: 200, size: 100, ...face }];
    const infer = (asked: RegionOfInterest) => Promise.resolve(fakeHeatmaps(asked, frame, seen));
    const located = await locateLandmarks(region, frame, FAKE_MODEL, infer, 0);
    const next = regionToFollow(located, frame, clearScore(0.5));
    expect([located.roi, located.next]).toContain(next);
    return next !== located.roi;
  }

  it('is the same while a clear subject rests in it', async () => {
    expect(await moves({})).toBe(false);
    expect(await moves({ x: 306 })).toBe(false);
    expect(await moves({ size: 104 })).toBe(false);
  });

  it('follows a subject that moves, grows or turns', async () => {
    expect(await moves({ x: 318 })).toBe(true);
    expect(await moves({ size: 115 })).toBe(true);
    expect(await moves({ angleRad: 0.15 })).toBe(true);
  });

  it('goes on with the landmarks of a subject that is not clear', async () => {
    expect(clearScore(0.5)).toBe(0.875);
    expect(await moves({ x: 306, clarity: 0.9 })).toBe(false);
    expect(await moves({ x: 306, clarity: 0.85 })).toBe(true);
  });
});
