/** A person of whom a second find shows a part: given once, though the part's region guesses where the rest would be. */
import { describe, expect, it } from 'vitest';
import type { Heatmaps } from '../../src/engine/backend';
import type { RoiRule } from '../../src/model/types';
import { LandmarkPipeline } from '../../src/pipeline/landmark_pipeline';
import { visibleScore } from '../../src/pipeline/locate';
import type { LandmarkModel } from '../../src/pipeline/pack_models';
import { TASKS } from '../../src/pipeline/tasks';
import type { RegionOfInterest } from '../../src/protocol/result';
import type { FakeFace } from '../helpers/fake_face';
import { FAKE_FINDER, fakeFinds } from '../helpers/fake_finder';

const frame = { width: 640, height: 480 };
const rule: RoiRule = { scale: 1.25, upright: null, presence: 0.3, landmark: 0.1, count: 2 };
const landmarks = ['head', 'neck', 'hip', 'knee', 'ankle'];
const HEIGHTS = [80, 140, 240, 320, 400];
/** Peaks for scores of 1 and of 0.17. */
const [SURE, GUESSED] = [4000, 520];

/** A network that sees a standing person; what lies below its region it guesses at the region's lower left edge. */
function person(region: RegionOfInterest): Promise<Heatmaps> {
  const cells = 32 / region.sizePixels;
  const data = new Int16Array(32 * 32 * landmarks.length);
  for (const [channel, y] of HEIGHTS.entries()) {
    const row = Math.floor(16 + (y - region.yCenter * frame.height) * cells);
    const column = Math.floor(16 + (320 - region.xCenter * frame.width) * cells);
    const isShown = row >= 0 && row < 32 && column >= 0 && column < 32;
    const [at, peak] = isShown ? [row * 32 + column, SURE] : [29 * 32 + 5, GUESSED];
    data[at * landmarks.length + channel] = peak;
  }
  return Promise.resolve({ data, height: 32, width: 32, channels: landmarks.length });
}

function detect(roi: RoiRule, finds: readonly FakeFace[]) {
  const codec = { type: 'softmax', stride: 4, window: 5, scale: 0.01 } as const;
  const names = { landmarks, mirror: landmarks.map((_, i) => i), connections: [] };
  const model: LandmarkModel = { codec, roi, cropSize: 128, ...names };
  const pipeline = new LandmarkPipeline(
    { landmarks: model, finder: FAKE_FINDER },
    TASKS.pose,
    () => 0,
  );
  const networks = {
    landmarks: person,
    finder: (region: RegionOfInterest) => Promise.resolve(fakeFinds(region, frame, finds)),
  };
  return pipeline.detect(frame, networks, {
    ...{ maxSubjects: 3, minDetectionConfidence: null, minPresenceConfidence: null },
    ...{ minTrackingConfidence: null, smoothing: false },
  });
}

describe('a part of a person', () => {
  const whole: FakeFace = { x: 320, y: 240, size: 320 };
  const part: FakeFace = { x: 320, y: 110, size: 80, findScore: 0.8 };

  it('is the same person by the landmarks that both readings surely show', async () => {
    const people = await detect({ ...rule, visible: 0.25 }, [whole, part]);
    expect(people).toHaveLength(1);
    expect(people[0]?.roi.sizePixels).toBeCloseTo(1.25 * 320, -1.5);
  });

  it('would be another by those that one of them guesses', async () => {
    expect(await detect(rule, [whole, part])).toHaveLength(2);
  });
});

describe('visibleScore', () => {
  it('is what the pack says, else what the region holds, else that of any landmark', () => {
    expect(visibleScore({ ...rule, visible: 0.25 })).toBe(0.25);
    expect(visibleScore(rule)).toBe(0.1);
    expect(visibleScore({ scale: 1, upright: null, presence: 0.5 })).toBe(0);
  });
});
