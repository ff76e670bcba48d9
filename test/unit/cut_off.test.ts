/** A limb that a region cuts off: looked for where it must be, taken where it is, at the cost of two readings now and then. */
import { describe, expect, it } from 'vitest';
import type { Heatmaps } from '../../src/engine/backend';
import { readCutOff } from '../../src/pipeline/cut_off';
import { LandmarkPipeline, type PipelineOptions } from '../../src/pipeline/landmark_pipeline';
import { locateLandmarks } from '../../src/pipeline/locate';
import type { LandmarkModel } from '../../src/pipeline/pack_models';
import { roiFromBox, type Point } from '../../src/pipeline/roi';
import { TASKS } from '../../src/pipeline/tasks';
import type { RegionOfInterest } from '../../src/protocol/result';
import { FAKE_FINDER, fakeFinds } from '../helpers/fake_finder';

const frame = { width: 640, height: 480 };
/** A leg: the hip, the knee, the ankle, and the neck above it. */
const model: LandmarkModel = {
  codec: { type: 'softmax', stride: 4, window: 5, scale: 0.01 },
  roi: { scale: 1.25, upright: null, presence: 0.5, landmark: 0.3, count: 2 },
  cropSize: 128,
  landmarks: ['neck', 'hip', 'knee', 'ankle'],
  mirror: [0, 1, 2, 3],
  connections: [
    [0, 1],
    [1, 2],
    [2, 3],
  ],
};
const STANDING: readonly Point[] = [100, 200, 270, 340].map((y) => ({ x: 320, y }));
/** From above the neck to below the knee: ends 30 pixels above the ankle. */
const TO_THE_KNEE = roiFromBox({ x: 210, y: 90, width: 220, height: 220 }, frame, 1);

/** A network that sees those of the points that lie in the region; null: nowhere. */
function networkFor(points: () => readonly (Point | null)[]) {
  const asked: RegionOfInterest[] = [];
  const infer = (region: RegionOfInterest): Promise<Heatmaps> => {
    asked.push(region);
    const data = new Int16Array(32 * 32 * 4);
    points().forEach((point, channel) => {
      const cells = 32 / region.sizePixels;
      const column = 16 + ((point?.x ?? NaN) - region.xCenter * frame.width) * cells;
      const row = 16 + ((point?.y ?? NaN) - region.yCenter * frame.height) * cells;
      if (!(column >= 0 && column < 32 && row >= 0 && row < 32)) return;
      for (let i = 0; i < 32 * 32; i += 1) data[i * 4 + channel] = -4000;
      data[(Math.floor(row) * 32 + Math.floor(column)) * 4 + channel] = 4000;
    });
    return Promise.resolve({ data, height: 32, width: 32, channels: 4 });
  };
  return { asked, infer };
}

async function readFrom(region: RegionOfInterest, points: readonly (Point | null)[], of = model) {
  const { asked, infer } = networkFor(() => points);
  const located = await locateLandmarks(region, frame, of, infer, 0);
  const whole = await readCutOff(located, frame, TASKS.pose, of, infer);
  return { located, whole, readings: asked.length - 1 };
}

const scores = (points: readonly { readonly score: number }[]) =>
  points.map(({ score }) => Math.round(score));

describe('readCutOff', () => {
  it('finds the ankle of a person whose region ends below the knee', async () => {
    const { located, whole, readings } = await readFrom(TO_THE_KNEE, STANDING);
    expect(scores(located.points)).toEqual([1, 1, 1, 0]);
    // What the margin of a region around the knee shows ends above the ankle, so that no later reading would find it.
    expect(located.next.yCenter * 480 + located.next.sizePixels / 2).toBeLessThan(330);
    expect(scores(whole.points)).toEqual([1, 1, 1, 1]);
    expect(whole.points[3]?.y).toBeCloseTo(340, -1);
    expect(whole.next.sizePixels).toBeCloseTo(1.25 * 240, -1.4);
    expect(readings).toBe(2);
  });

  it('keeps the reading where the wider region shows no more', async () => {
    const hidden = [...STANDING.slice(0, 3), null];
    const { located, whole, readings } = await readFrom(TO_THE_KNEE, hidden);
    expect(whole).toBe(located);
    expect(readings).toBe(2);
  });

  it('reads nothing more where the ankle must lie in the region, outside the frame, or nobody knows where', async () => {
    const hidden = [...STANDING.slice(0, 3), null];
    const wide = roiFromBox({ x: 160, y: 60, width: 320, height: 320 }, frame, 1);
    expect((await readFrom(wide, hidden)).readings).toBe(0);
    const low = [200, 330, 420, null].map((y) => (y === null ? null : { x: 320, y }));
    const toTheFrame = roiFromBox({ x: 180, y: 180, width: 280, height: 280 }, frame, 1);
    expect((await readFrom(toTheFrame, low)).readings).toBe(0);
    const torn = STANDING.map((point, i) => (i % 2 === 0 ? point : null));
    expect((await readFrom(TO_THE_KNEE, torn)).readings).toBe(0);
    const faceLike: LandmarkModel = {
      ...model,
      roi: { scale: 1.25, upright: null, presence: 0.5 },
    };
    expect((await readFrom(TO_THE_KNEE, STANDING, faceLike)).readings).toBe(0);
  });

  it('does not take somebody else', async () => {
    const { infer } = networkFor(() => STANDING);
    const located = await locateLandmarks(TO_THE_KNEE, frame, model, infer, 0);
    const beside = networkFor(() => STANDING.map(({ x, y }) => ({ x: x + 60, y })));
    expect(await readCutOff(located, frame, TASKS.pose, model, beside.infer)).toBe(located);
  });
});

describe('a stream', () => {
  const options: PipelineOptions = {
    ...{ maxSubjects: 1, minDetectionConfidence: null, minPresenceConfidence: null },
    ...{ minTrackingConfidence: null, smoothing: false },
  };

  it('finds feet that come into the picture within the interval, and looks for hidden ones no more often', async () => {
    let points: readonly (Point | null)[] = STANDING.slice(0, 3);
    const { asked, infer } = networkFor(() => points);
    // The finder shows the trunk alone.
    const finder = (region: RegionOfInterest) =>
      Promise.resolve(fakeFinds(region, frame, [{ x: 320, y: 185, size: 170 }]));
    const models = { landmarks: model, finder: FAKE_FINDER };
    const pipeline = new LandmarkPipeline(models, TASKS.pose, () => 0);
    const readings: number[] = [];
    const next = async (timeMs: number) => {
      const before = asked.length;
      const networks = { landmarks: infer, finder };
      const [person] = await pipeline.detectInStream(0, frame, timeMs, networks, options);
      readings.push(asked.length - before);
      return { id: person?.id, scores: scores(person?.landmarks ?? []) };
    };
    for (let i = 0; i <= 10; i += 1) {
      expect(await next(100 * i)).toEqual({ id: 0, scores: [1, 1, 1, 0] });
    }
    expect(readings.slice(1)).toEqual([1, 1, 1, 1, 3, 1, 1, 1, 1, 3]);
    points = STANDING;
    for (let i = 11; i <= 14; i += 1) await next(100 * i);
    for (let i = 15; i <= 25; i += 1) {
      expect(await next(100 * i)).toEqual({ id: 0, scores: [1, 1, 1, 1] });
    }
    expect(readings.slice(-10)).toEqual(new Array(10).fill(1));
  });
});
