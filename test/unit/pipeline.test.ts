import { describe, expect, it } from 'vitest';
import { LandmarkPipeline, type PipelineOptions } from '../../src/pipeline/landmark_pipeline';
import { TASKS } from '../../src/pipeline/tasks';
import { searchLevels } from '../../src/pipeline/window_search';
import type { DetectedSubject, RegionOfInterest } from '../../src/protocol/result';
import { cornersOf, FAKE_MODEL, fakeHeatmaps, type FakeFace } from '../helpers/fake_face';

const frame = { width: 640, height: 480 };
const defaults: PipelineOptions = {
  maxSubjects: 1,
  minDetectionConfidence: null,
  minPresenceConfidence: null,
  minTrackingConfidence: null,
  smoothing: false,
};

/** A pipeline before a changeable scene, with every region that was asked for. */
function setUp(scene: FakeFace[], nowMs: () => number = () => 0) {
  const pipeline = new LandmarkPipeline({ landmarks: FAKE_MODEL, finder: null }, TASKS.face, nowMs);
  const asked: RegionOfInterest[] = [];
  const state = { scene, fails: false };
  const infer = (region: RegionOfInterest) => {
    asked.push(region);
    return state.fails
      ? Promise.reject(new Error('no device'))
      : Promise.resolve(fakeHeatmaps(region, frame, state.scene));
  };
  const networks = { landmarks: infer, finder: infer };
  let timeMs = 0;
  return {
    state,
    asked,
    pipeline,
    detect: (options: Partial<PipelineOptions> = {}) =>
      pipeline.detect(frame, networks, { ...defaults, ...options }),
    /** The next frame, and how many inferences it took. */
    next: async (options: Partial<PipelineOptions> = {}) => {
      const before = asked.length;
      timeMs += 33;
      const subjects = await pipeline.detectInStream(1, frame, timeMs, networks, {
        ...defaults,
        ...options,
      });
      return { subjects, inferences: asked.length - before };
    },
  };
}

/** Largest distance between the landmarks found and the corners of a face, in source pixels. */
function errorPixels(subject: DetectedSubject | undefined, face: FakeFace): number {
  const corners = cornersOf(face);
  if (subject === undefined) return Infinity;
  return Math.max(
    ...subject.landmarks.map(({ x, y }, i) => {
      const corner = corners[i];
      return corner ? Math.hypot(x * 640 - corner.x, y * 480 - corner.y) : Infinity;
    }),
  );
}

describe('a search for people', () => {
  it('leaves small windows out', () => {
    const sides = searchLevels(frame, TASKS.pose.searchSides).flat();
    expect(Math.min(...sides.map(({ sizePixels }) => sizePixels))).toBe(336);
  });
});

describe('searchLevels', () => {
  const levels = searchLevels(frame, TASKS.face.searchSides);

  it('has one list of windows per size', () => {
    expect(levels.map((windows) => [windows.length, windows[0]?.sizePixels])).toEqual([
      [2, 480],
      [12, 336],
      [1, 672],
      [24, 240],
      [70, 168],
      [140, 120],
    ]);
  });

  it('covers every point of the frame at every size, in and out of the middle first', () => {
    for (const windows of levels) {
      for (const [x, y] of [
        [0, 0],
        [639, 0],
        [333, 479],
        [320, 240],
      ] as const) {
        const covers = windows.some(
          ({ xCenter, yCenter, sizePixels }) =>
            Math.abs(xCenter * 640 - x) <= sizePixels / 2 + 1e-9 &&
            Math.abs(yCenter * 480 - y) <= sizePixels / 2 + 1e-9,
        );
        expect(covers).toBe(true);
      }
      const distances = windows.map(({ xCenter, yCenter }) =>
        Math.hypot((xCenter - 0.5) * 640, (yCenter - 0.5) * 480),
      );
      distances.reduce((before, distance) => {
        expect(distance).toBeGreaterThan(before - 1e-9);
        return distance;
      }, 0);
    }
  });

  it('turns with the frame', () => {
    const upright = searchLevels({ width: 480, height: 640 }, TASKS.face.searchSides);
    expect(upright.map(({ length }) => length)).toEqual(levels.map(({ length }) => length));
  });
});

describe('detect', () => {
  it('gives nothing for an empty scene', async () => {
    expect(await setUp([]).detect()).toEqual([]);
  });

  it.each<FakeFace>([
    { x: 320, y: 240, size: 300 },
    { x: 150, y: 300, size: 150, angleRad: 0.4 },
    { x: 540, y: 100, size: 80, angleRad: -0.3 },
    { x: 60, y: 420, size: 70 },
  ])('finds a face of $size pixels at ($x, $y)', async (face) => {
    const subjects = await setUp([face]).detect();
    expect(subjects).toHaveLength(1);
    expect(errorPixels(subjects[0], face)).toBeLessThan(0.02 * face.size);
    expect(subjects[0]?.roi.rotationRad).toBeCloseTo(face.angleRad ?? 0, 1);
    expect(subjects[0]?.score).toBeGreaterThan(0.99);
    expect(subjects[0]?.landmarks.map(({ name }) => name)).toEqual(FAKE_MODEL.landmarks);
  });

  it('gives each of several faces once, best first, and no more than asked for', async () => {
    const scene: FakeFace[] = [
      { x: 120, y: 150, size: 120, clarity: 0.85 },
      { x: 330, y: 300, size: 90 },
      { x: 540, y: 130, size: 140, clarity: 0.9 },
    ];
    const ids = async (maxSubjects: number) =>
      (await setUp(scene).detect({ maxSubjects })).map((subject) => [
        subject.id,
        scene.findIndex((face) => errorPixels(subject, face) < 0.03 * face.size),
      ]);
    expect(await ids(5)).toEqual([
      [0, 1],
      [1, 2],
      [2, 0],
    ]);
    expect(await ids(2)).toHaveLength(2);
  });

  it('takes the score that a new subject needs from the options, and else from the model', async () => {
    const face: FakeFace = { x: 320, y: 240, size: 200, clarity: 0.6 };
    const count = async (options: Partial<PipelineOptions>) =>
      (await setUp([face]).detect(options)).length;
    expect(await count({})).toBe(1);
    expect(await count({ minDetectionConfidence: 0.7 })).toBe(0);
    expect(await count({ minPresenceConfidence: 0.7 })).toBe(0);
    expect(await count({ minTrackingConfidence: 0.7 })).toBe(1);
    const faint = setUp([{ ...face, clarity: 0.4 }]);
    expect(await faint.detect()).toHaveLength(0);
    expect(await faint.detect({ minDetectionConfidence: 0.3 })).toHaveLength(1);
  });

  it('stops looking at smaller windows once a face is found beyond doubt', async () => {
    const { asked, detect } = setUp([{ x: 320, y: 240, size: 300 }]);
    await detect();
    expect(Math.min(...asked.map(({ sizePixels }) => sizePixels))).toBeGreaterThan(400);
  });
});

describe('detectInStream', () => {
  const face: FakeFace = { x: 300, y: 220, size: 180 };

  it('takes one inference per frame once a face is found, and keeps its id while it moves', async () => {
    const { state, next } = setUp([face]);
    const first = await next();
    expect(first.subjects).toHaveLength(1);
    const id = first.subjects[0]?.id;
    for (let i = 1; i <= 20; i += 1) {
      const moved = { ...face, x: face.x + 8 * i, angleRad: 0.03 * i };
      state.scene = [moved];
      const { subjects, inferences } = await next();
      expect(inferences).toBe(1);
      expect(subjects[0]?.id).toBe(id);
      expect(errorPixels(subjects[0], moved)).toBeLessThan(0.02 * face.size);
    }
  });

  it('spreads the search over frames and finds a small face in the corner in the end', async () => {
    const { next } = setUp([{ x: 595, y: 435, size: 65 }]);
    const counts: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const { subjects, inferences } = await next();
      counts.push(inferences);
      if (subjects.length > 0) break;
    }
    expect(counts.length).toBeGreaterThan(3);
    expect(counts.length).toBeLessThan(20);
    expect(Math.max(...counts)).toBeLessThanOrEqual(16 + 3 * 4);
    expect((await next()).inferences).toBe(1);
  });

  it('starts over after the last window', async () => {
    const { state, next } = setUp([]);
    for (let i = 0; i < 16; i += 1) await next();
    state.scene = [face];
    const found = [];
    for (let i = 0; i < 17; i += 1) found.push((await next()).subjects.length);
    expect(found).toContain(1);
  });

  it('begins no further window when the time of a frame is used up', async () => {
    let nowMs = 0;
    const { next } = setUp([], () => (nowMs += 150));
    // Asked before the second window (150 ms have passed) and before the third (300 ms).
    expect((await next()).inferences).toBe(2);
  });

  it('drops a lost face at once, finds it again and gives it another id', async () => {
    const { state, next } = setUp([face]);
    expect((await next()).subjects[0]?.id).toBe(0);
    state.scene = [];
    expect((await next()).subjects).toEqual([]);
    state.scene = [{ ...face, size: 320 }];
    const ids: (number | undefined)[] = [];
    for (let i = 0; i < 20 && ids.length === 0; i += 1) {
      ids.push(...(await next()).subjects.map(({ id }) => id));
    }
    expect(ids).toEqual([1]);
  });

  it('follows down to the tracking threshold, which is lower than the one for new faces', async () => {
    const { state, next } = setUp([face]);
    await next();
    state.scene = [{ ...face, clarity: 0.45 }];
    expect((await next()).subjects).toHaveLength(1);
    expect((await next({ minPresenceConfidence: 0.5 })).subjects).toHaveLength(0);
  });

  it('follows two faces with one inference each, and keeps looking for a third at a low rate', async () => {
    const scene: FakeFace[] = [
      { x: 170, y: 240, size: 170 },
      { x: 470, y: 240, size: 170 },
    ];
    const { next } = setUp(scene);
    let last = await next({ maxSubjects: 2 });
    for (let i = 0; i < 5; i += 1) last = await next({ maxSubjects: 2 });
    expect(last.subjects.map(({ id }) => id)).toEqual([0, 1]);
    expect(last.inferences).toBe(2);
    expect((await next({ maxSubjects: 3 })).inferences).toBe(4);
  });

  it('reports one subject where two regions have run into one face', async () => {
    const far: FakeFace[] = [
      { x: 170, y: 240, size: 170 },
      { x: 470, y: 240, size: 170 },
    ];
    const { state, next } = setUp(far);
    for (let i = 0; i < 5; i += 1) await next({ maxSubjects: 2 });
    for (let shift = 0; shift <= 150; shift += 15) {
      state.scene = [
        { x: 170 + shift, y: 240, size: 170 },
        { x: 470 - shift, y: 240, size: 170 },
      ];
      await next({ maxSubjects: 2 });
    }
    expect((await next({ maxSubjects: 2 })).subjects).toHaveLength(1);
  });

  it('smooths when asked to, and reports what it read when not', async () => {
    const jump: FakeFace = { ...face, x: face.x + 6 };
    const plain = setUp([face]);
    await plain.next();
    plain.state.scene = [jump];
    expect(errorPixels((await plain.next()).subjects[0], jump)).toBeLessThan(1.5);

    const smoothed = setUp([face]);
    await smoothed.next({ smoothing: true });
    smoothed.state.scene = [jump];
    const { subjects } = await smoothed.next({ smoothing: true });
    expect(errorPixels(subjects[0], jump)).toBeGreaterThan(2);
    expect(errorPixels(subjects[0], jump)).toBeLessThan(6);
  });

  it('keeps the stream as it was when a frame fails', async () => {
    const { state, next } = setUp([face]);
    await next();
    state.fails = true;
    await expect(next()).rejects.toThrow('no device');
    state.fails = false;
    const { subjects, inferences } = await next();
    expect(inferences).toBe(1);
    expect(subjects[0]?.id).toBe(0);
  });

  it('searches anew when the frame changes its size', async () => {
    const { pipeline, next } = setUp([face]);
    await next();
    const other = { width: 320, height: 240 };
    let inferences = 0;
    const infer = (region: RegionOfInterest) => {
      inferences += 1;
      return Promise.resolve(fakeHeatmaps(region, other, [{ x: 150, y: 110, size: 90 }]));
    };
    const subjects = await pipeline.detectInStream(
      1,
      other,
      1000,
      { landmarks: infer, finder: infer },
      defaults,
    );
    expect(inferences).toBeGreaterThan(1);
    expect(subjects[0]?.id).toBe(1);
  });

  it('keeps streams apart and forgets them when told', async () => {
    const { pipeline, asked, next } = setUp([face]);
    await next();
    const infer = (region: RegionOfInterest) => {
      asked.push(region);
      return Promise.resolve(fakeHeatmaps(region, frame, [face]));
    };
    const inferencesOf = async (streamId: number): Promise<number> => {
      const before = asked.length;
      await pipeline.detectInStream(
        streamId,
        frame,
        5000,
        { landmarks: infer, finder: infer },
        defaults,
      );
      return asked.length - before;
    };
    expect(await inferencesOf(2)).toBeGreaterThan(1);
    expect(await inferencesOf(1)).toBe(1);
    pipeline.endStream(1);
    expect(await inferencesOf(1)).toBeGreaterThan(1);
    expect(await inferencesOf(2)).toBe(1);
  });
});
