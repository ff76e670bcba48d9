/** The pipeline with a finder: found, followed, lost, and what each frame costs. */
import { describe, expect, it } from 'vitest';
import { halfWindows, SURE_FIND_SCORE, wholeFrame } from '../../src/pipeline/finder';
import { LandmarkPipeline, type PipelineOptions } from '../../src/pipeline/landmark_pipeline';
import { TASKS } from '../../src/pipeline/tasks';
import type { RegionOfInterest } from '../../src/protocol/result';
import { FAKE_MODEL, fakeHeatmaps, type FakeFace } from '../helpers/fake_face';
import { FAKE_FINDER, fakeFinds } from '../helpers/fake_finder';

const defaults: PipelineOptions = {
  maxSubjects: 1,
  minDetectionConfidence: null,
  minPresenceConfidence: null,
  minTrackingConfidence: null,
  smoothing: false,
};

/** A pipeline before a changeable scene; `ghosts` are faces that only the finder sees, `clarities` those of the first readings. */
function setUp(scene: FakeFace[], { frame = { width: 640, height: 480 } } = {}) {
  const models = { landmarks: FAKE_MODEL, finder: FAKE_FINDER };
  const pipeline = new LandmarkPipeline(models, TASKS.face, () => 0);
  const state = { scene, ghosts: [] as FakeFace[], clarities: [] as number[], timeMs: 0 };
  const asked = { landmarks: [] as RegionOfInterest[], finder: [] as RegionOfInterest[] };
  const networks = {
    landmarks: (region: RegionOfInterest) => {
      asked.landmarks.push(region);
      const clarity = state.clarities[asked.landmarks.length - 1];
      const seen = state.scene.map((face) => (clarity === undefined ? face : { ...face, clarity }));
      return Promise.resolve(fakeHeatmaps(region, frame, seen));
    },
    finder: (region: RegionOfInterest) => {
      asked.finder.push(region);
      return Promise.resolve(fakeFinds(region, frame, [...state.scene, ...state.ghosts]));
    },
  };
  const costs = (before: readonly [number, number]) => ({
    landmarks: asked.landmarks.length - before[0],
    finder: asked.finder.length - before[1],
  });
  const now = () => [asked.landmarks.length, asked.finder.length] as const;
  return {
    state,
    asked,
    detect: (options: Partial<PipelineOptions> = {}) =>
      pipeline.detect(frame, networks, { ...defaults, ...options }),
    /** The next frame, 100 ms later unless told, and how often each network ran. */
    next: async (options: Partial<PipelineOptions> = {}, stepMs = 100) => {
      const before = now();
      state.timeMs += stepMs;
      const subjects = await pipeline.detectInStream(1, frame, state.timeMs, networks, {
        ...defaults,
        ...options,
      });
      return { ids: subjects.map(({ id }) => id), subjects, runs: costs(before) };
    },
  };
}

const face: FakeFace = { x: 300, y: 220, size: 120, angleRad: 0.4 };
const left: FakeFace = { x: 150, y: 240, size: 110 };
const right: FakeFace = { x: 480, y: 240, size: 110 };

describe('the windows of the finder', () => {
  it('are the frame within a square, and six of half its size', () => {
    const frame = { width: 640, height: 480 };
    expect(wholeFrame(frame)).toEqual({
      ...{ xCenter: 0.5, yCenter: 0.5, sizePixels: 640, rotationRad: 0 },
    });
    const windows = halfWindows(frame);
    expect(windows.map(({ xCenter, yCenter }) => [xCenter * 640, yCenter * 480])).toEqual([
      [160, 160],
      [320, 160],
      [480, 160],
      [160, 320],
      [320, 320],
      [480, 320],
    ]);
    expect(windows.every(({ sizePixels }) => sizePixels === 320)).toBe(true);
  });
});

describe('detect with a finder', () => {
  it('reads the region that the finder gives, turned as it says, then that of the landmarks', async () => {
    const { asked, detect } = setUp([face]);
    const [subject, ...others] = await detect();
    expect(others).toEqual([]);
    expect(subject?.score).toBeGreaterThan(0.99);
    expect(asked.finder).toEqual([wholeFrame({ width: 640, height: 480 })]);
    const [first] = asked.landmarks;
    // The rule of the landmark pack: 1.5 times the size; centers are right to a part of a cell.
    expect(first?.sizePixels).toBeCloseTo(1.5 * 120, -0.5);
    expect((first?.xCenter ?? 0) * 640).toBeCloseTo(300, -0.5);
    expect(first?.rotationRad).toBeCloseTo(0.4, 1);
    expect(asked.landmarks.length).toBe(2);
  });

  it('gives several faces once each and no more than asked for', async () => {
    const scene = [left, right, { x: 320, y: 90, size: 70 }];
    expect(await setUp(scene).detect({ maxSubjects: 5 })).toHaveLength(3);
    expect(await setUp(scene).detect({ maxSubjects: 2 })).toHaveLength(2);
  });

  it('takes the finder score from minDetectionConfidence, the landmark score from minPresenceConfidence', async () => {
    const faint = { ...face, clarity: 0.6 };
    const count = async (options: Partial<PipelineOptions>) =>
      (await setUp([faint]).detect(options)).length;
    expect(await count({})).toBe(1);
    expect(await count({ minDetectionConfidence: 0.94 })).toBe(1);
    expect(await count({ minDetectionConfidence: 0.96 })).toBe(0);
    expect(await count({ minPresenceConfidence: 0.7 })).toBe(0);
    expect(await count({ minTrackingConfidence: 0.7 })).toBe(1);
  });

  it('asks more of the landmarks where the finder is not sure, and no more where it is', async () => {
    const count = async (findScore: number, clarity: number) =>
      (await setUp([{ ...face, findScore, clarity }]).detect({ minDetectionConfidence: 0.2 }))
        .length;
    expect(SURE_FIND_SCORE).toBe(0.5);
    expect(await count(0.55, 0.55)).toBe(1);
    // 0.3 lacks 0.4 of what is sure, so that the landmarks need 0.4 of the way from 0.5 to 1.
    expect(await count(0.3, 0.65)).toBe(0);
    expect(await count(0.3, 0.75)).toBe(1);
  });

  it('looks a second time, closer, where it sees nobody; but not where there are no more pixels', async () => {
    // 1280 pixels wide: a face of 60 has 6 of the finder's pixels, and 12 in a window of half the size.
    const small: FakeFace = { x: 1010, y: 610, size: 60 };
    const large = setUp([small], { frame: { width: 1280, height: 960 } });
    expect(await large.detect()).toHaveLength(1);
    expect(large.asked.finder).toHaveLength(7);
    const found = setUp([face]);
    await found.detect();
    expect(found.asked.finder).toHaveLength(1);
    const tiny = setUp([], { frame: { width: 200, height: 150 } });
    expect(await tiny.detect()).toEqual([]);
    expect(tiny.asked.finder).toHaveLength(1);
  });

  it('looks a second time, closer, for the others where it sees fewer than are asked for, and gives each once', async () => {
    const frame = { width: 1280, height: 960 };
    const scene: FakeFace[] = [
      { x: 400, y: 420, size: 240 },
      { x: 1010, y: 610, size: 60 },
    ];
    const one = setUp(scene, { frame });
    expect(await one.detect({ maxSubjects: 1 })).toHaveLength(1);
    expect(one.asked.finder).toHaveLength(1);
    const more = setUp(scene, { frame });
    const subjects = await more.detect({ maxSubjects: 5 });
    expect(more.asked.finder).toHaveLength(7);
    const sizes = subjects.map(({ roi }) => roi.sizePixels).sort((a, b) => b - a);
    expect(sizes).toHaveLength(2);
    expect(sizes[0]).toBeCloseTo(1.5 * 240, -1.3);
    expect(sizes[1]).toBeCloseTo(1.5 * 60, -1);
  });

  it('keeps the best of several readings of one face', async () => {
    // A large region around a face gives a poor reading, a smaller one, which the finder is less sure of, a good one.
    const poor: FakeFace = { x: 300, y: 220, size: 200, clarity: 0.6 };
    const good: FakeFace = { x: 420, y: 220, size: 100, findScore: 0.8 };
    for (const scene of [
      [poor, good],
      [poor, { ...good, findScore: 0.99 }],
    ]) {
      const subjects = await setUp(scene).detect({ maxSubjects: 3 });
      expect(subjects).toHaveLength(1);
      expect(subjects[0]?.score).toBeGreaterThan(0.95);
      expect((subjects[0]?.roi.xCenter ?? 0) * 640).toBeCloseTo(420, -0.5);
    }
  });

  it('reads a doubtful find from regions of three sizes: landmarks of the clearest, the middle score', async () => {
    const { state, asked, detect } = setUp([face]);
    state.clarities = [0.6, 0.6, 0.9, 0.9, 0.75, 0.75];
    const [subject] = await detect();
    const sides = asked.landmarks.map(({ sizePixels }) => sizePixels / 180);
    expect(sides).toHaveLength(6);
    expect((sides[2] ?? 0) / (sides[0] ?? 0)).toBeCloseTo(0.85);
    expect((sides[4] ?? 0) / (sides[0] ?? 0)).toBeCloseTo(1.18);
    expect(subject?.score).toBeCloseTo(0.75, 1);
    for (const { score } of subject?.landmarks ?? []) expect(score).toBeCloseTo(0.9, 1);
  });

  it('takes what is clear at one size alone for nobody', async () => {
    const count = async (...clarities: number[]) => {
      // Too few pixels for a second look.
      const frame = { width: 200, height: 150 };
      const { state, detect } = setUp([{ x: 100, y: 70, size: 50 }], { frame });
      state.clarities = clarities;
      return (await detect()).length;
    };
    expect(await count(0.8, 0.8, 0.1, 0.1)).toBe(0);
    expect(await count(0.8, 0.8, 0.1, 0.8, 0.8)).toBe(1);
  });

  it('gives up on what only the finder sees after one reading each, and after a few in all', async () => {
    const { state, asked, detect } = setUp([], { frame: { width: 200, height: 150 } });
    state.ghosts = [20, 60, 100, 140, 180].map((x) => ({ x, y: 70, size: 25 }));
    expect(await detect()).toEqual([]);
    expect(asked.landmarks).toHaveLength(3);
  });
});

describe('a stream with a finder', () => {
  it('reads a doubtful find once: the next frame is another try', async () => {
    const { state, next } = setUp([face]);
    state.clarities = [0.6, 0.6];
    expect((await next()).runs).toEqual({ landmarks: 2, finder: 1 });
  });

  it('finds in the first frame, follows with one run, keeps the id and the turn', async () => {
    const { state, next } = setUp([face]);
    const first = await next();
    expect(first.ids).toEqual([0]);
    expect(first.runs.finder).toBe(1);
    for (let i = 1; i <= 20; i += 1) {
      state.scene = [{ ...face, x: 300 + 6 * i, angleRad: 0.4 - 0.1 * i }];
      const { ids, subjects, runs } = await next();
      expect(ids).toEqual([0]);
      expect(runs).toEqual({ landmarks: 1, finder: 0 });
      // Read from the region of the frame before.
      expect(subjects[0]?.roi.rotationRad).toBeCloseTo(0.4 - 0.1 * (i - 1), 1);
    }
  });

  it('reads a face that hardly moves from the same region', async () => {
    const { state, asked, next } = setUp([face]);
    await next();
    const [region] = asked.landmarks.slice(-1);
    for (let i = 1; i <= 3; i += 1) {
      state.scene = [{ ...face, x: 300 + 2 * i }];
      await next();
    }
    expect(asked.landmarks.slice(-3)).toEqual([region, region, region]);
    state.scene = [{ ...face, x: 330 }];
    await next();
    await next();
    expect((asked.landmarks.at(-1)?.xCenter ?? 0) * 640).toBeCloseTo(330, -0.5);
  });

  it('looks in every frame while nobody is there, and finds whoever comes at once', async () => {
    const { state, next } = setUp([]);
    for (let i = 0; i < 3; i += 1) {
      expect((await next({}, 33)).runs).toEqual({ landmarks: 0, finder: 1 });
    }
    state.scene = [face];
    expect((await next({}, 33)).ids).toEqual([0]);
  });

  it('loses a face at once, without a trace, and gives the next one another id', async () => {
    const { state, next } = setUp([face]);
    await next();
    state.scene = [];
    expect(await next()).toMatchObject({ ids: [], runs: { landmarks: 1, finder: 1 } });
    expect(await next()).toMatchObject({ ids: [], runs: { landmarks: 0, finder: 1 } });
    state.scene = [right];
    expect((await next()).ids).toEqual([1]);
    expect((await next()).ids).toEqual([1]);
  });

  it('asks for more than the presence of the pack where that is low; in a still image it counts', async () => {
    const lenient = { ...FAKE_MODEL, roi: { ...FAKE_MODEL.roi, presence: 0.1 } };
    const faint = [{ ...face, clarity: 0.25 }];
    const frame = { width: 640, height: 480 };
    const networks = {
      landmarks: (region: RegionOfInterest) => Promise.resolve(fakeHeatmaps(region, frame, faint)),
      finder: (region: RegionOfInterest) => Promise.resolve(fakeFinds(region, frame, faint)),
    };
    const pipeline = new LandmarkPipeline(
      { landmarks: lenient, finder: FAKE_FINDER },
      TASKS.face,
      () => 0,
    );
    const follow = (options: PipelineOptions, timeMs: number) =>
      pipeline.detectInStream(1, frame, timeMs, networks, options);
    expect(TASKS.face.streamPresence).toBe(0.3);
    expect(await pipeline.detect(frame, networks, defaults)).toHaveLength(1);
    expect(await follow(defaults, 0)).toHaveLength(0);
    expect(await follow({ ...defaults, minPresenceConfidence: 0.2 }, 100)).toHaveLength(1);
    // Once found, a face is followed down to 0.8 of 0.3.
    expect(await follow(defaults, 200)).toHaveLength(1);
  });

  it('finds a face that has jumped in the same frame', async () => {
    const { state, next } = setUp([left]);
    await next();
    state.scene = [right];
    expect((await next()).ids).toEqual([1]);
  });

  it('looks for missing faces at intervals while others are followed, and gives none twice', async () => {
    const { state, next } = setUp([left]);
    const two = { maxSubjects: 2 };
    await next(two);
    const finderRuns: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const { ids, runs } = await next(two);
      expect(ids).toEqual([0]);
      // What the finder sees of the followed face is not read again.
      expect(runs.landmarks).toBe(1);
      finderRuns.push(runs.finder);
    }
    expect(finderRuns).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    state.scene = [left, right];
    let frames = 0;
    for (let ids = [0]; ids.length < 2; frames += 1) ids = (await next(two)).ids;
    expect(frames).toBe(5);
    expect(await next(two)).toMatchObject({ ids: [0, 1], runs: { landmarks: 2, finder: 0 } });
  });

  it('keeps the other identity when one of two is lost, and looks at once', async () => {
    const { state, next } = setUp([left, right]);
    const two = { maxSubjects: 2 };
    const { subjects } = await next(two);
    const rightId = subjects.find(({ roi }) => roi.xCenter > 0.5)?.id;
    state.scene = [right];
    expect(await next(two)).toMatchObject({ ids: [rightId], runs: { landmarks: 2, finder: 1 } });
    expect(await next(two)).toMatchObject({ ids: [rightId], runs: { landmarks: 1, finder: 0 } });
  });

  it('follows down to the tracking threshold; an explicit presence threshold is the least of all', async () => {
    const { state, next } = setUp([face]);
    await next();
    state.scene = [{ ...face, clarity: 0.45 }];
    expect((await next()).ids).toEqual([0]);
    expect((await next({ minPresenceConfidence: 0.3 })).ids).toEqual([0]);
    expect((await next({ minTrackingConfidence: 0.5 })).ids).toEqual([]);
    // 0.45 is enough to be followed, not to be found.
    expect((await next()).ids).toEqual([]);
    expect((await next({ minPresenceConfidence: 0.4 })).ids).toEqual([1]);
    expect((await next({ minPresenceConfidence: 0.5 })).ids).toEqual([]);
  });

  it('sees doubtful faces anew at short intervals, and lets the whole take the place of a part', async () => {
    const part: FakeFace = { x: 300, y: 200, size: 60, clarity: 0.6 };
    const whole: FakeFace = { x: 300, y: 215, size: 130 };
    const { state, next } = setUp([part]);
    expect((await next()).subjects[0]?.score).toBeCloseTo(0.6, 1);
    state.scene = [part, whole];
    expect(await next()).toMatchObject({ ids: [0], runs: { landmarks: 1, finder: 0 } });
    const { ids, subjects, runs } = await next();
    expect({ ids, finder: runs.finder }).toEqual({ ids: [0], finder: 1 });
    expect(subjects[0]?.score).toBeGreaterThan(0.99);
    expect((subjects[0]?.landmarks[1]?.x ?? 0) * 640).toBeCloseTo(365, 0);
    for (let i = 0; i < 6; i += 1) {
      expect(await next()).toMatchObject({ ids: [0], runs: { landmarks: 1, finder: 0 } });
    }
  });

  it('keeps doubtful faces that look no better anew, and gives none twice', async () => {
    const { next } = setUp([{ ...left, clarity: 0.6 }, right]);
    const first = await next({ maxSubjects: 3 });
    for (let i = 0; i < 6; i += 1) {
      const { ids, runs } = await next({ maxSubjects: 3 });
      expect(ids).toEqual(first.ids);
      // The finder's view of the doubtful face is read, that of the other is not.
      expect(runs.finder).toBe(i % 2);
      expect(runs.landmarks).toBeGreaterThanOrEqual(2);
    }
  });

  it('looks anew when time runs backwards', async () => {
    const { next } = setUp([left]);
    await next({ maxSubjects: 2 }, 10_000);
    expect((await next({ maxSubjects: 2 }, -9_000)).runs.finder).toBe(1);
  });
});
