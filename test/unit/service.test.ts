/**
 * The worker's service: results of a real network, and what becomes of calls, frames and sessions when things go wrong.
 */
import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { Session } from '../../src/engine/session';
import { BitmarksError } from '../../src/errors';
import { parsePack } from '../../src/model/pack';
import type { DetectRequest, FramePayload, LoadProgress } from '../../src/protocol/service';
import { createLandmarkService, type ServiceDeps } from '../../src/worker/landmark_service';
import type { EngineSession } from '../../src/worker/landmarker';
import { codeOf } from '../helpers/codes';
import { DOTS_TOLERANCE, dotsError, dotsPack, drawDots, type DotsFace } from '../helpers/dots';
import { dotsFinderPack } from '../helpers/dots_finder';

const pack = dotsPack();
const finderPack = dotsFinderPack();
const face: DotsFace = { x: 150, y: 110, size: 90, angleRad: 0.2 };
const scene = drawDots(320, 240, [face]);

const ID = 1;
const LOAD = {
  landmarkerId: ID,
  task: 'face',
  backend: 'reference',
  wasmUrls: { simd128: 'unused', relaxed: 'unused' },
  webgpuUrl: 'unused',
  selfTest: true,
} as const;

const OPTIONS = {
  maxSubjects: 1,
  minDetectionConfidence: null,
  minPresenceConfidence: null,
  minTrackingConfidence: null,
  smoothing: false,
} as const;

function openReference(...[model, request, onPhase]: Parameters<ServiceDeps['openSession']>) {
  return Session.create(model, {
    backend: request.backend,
    engine: { wasmUrls: request.wasmUrls },
    selfTest: request.selfTest,
    onPhase,
    loadFactory: () => Promise.resolve(createReferenceBackend),
  });
}

/** Copies: the service owns what it is sent. */
function packsOf() {
  return {
    landmarks: { bytes: pack.slice().buffer },
    finder: { bytes: finderPack.slice().buffer },
  };
}

/** A service with counted resources; `deps` replaces parts. */
function setUp(deps: Partial<ServiceDeps> = {}) {
  const counts = { openSessions: 0, released: 0 };
  const service = createLandmarkService({
    fetchPack: () => Promise.reject(new Error('not fetched')),
    parsePack,
    openSession: async (...args) => {
      const session: EngineSession = await openReference(...args);
      counts.openSessions += 1;
      let isOpen = true;
      return {
        get state() {
          return session.state;
        },
        run: (input) => session.run(input),
        close: () => {
          if (isOpen) counts.openSessions -= 1;
          isOpen = false;
          session.close();
        },
      };
    },
    readPixels: () => Promise.resolve(scene),
    yieldToMessages: () => Promise.resolve(),
    release: () => {
      counts.released += 1;
    },
    nowMs: () => performance.now(),
    ...deps,
  });
  let callId = 0;
  return {
    service,
    counts,
    load: (
      onProgress?: (progress: LoadProgress) => void,
      request: Partial<Parameters<typeof service.load>[0]> = {},
    ) => service.load({ ...LOAD, packs: packsOf(), callId: (callId += 1), ...request }, onProgress),
    detect: (request: Partial<DetectRequest> = {}) =>
      service.detect({
        landmarkerId: ID,
        frame: fakeBitmap().frame,
        timestampMs: 5,
        stream: null,
        options: OPTIONS,
        callId: (callId += 1),
        ...request,
      }),
  };
}

/** A frame that only knows whether it is open. */
function fakeBitmap(): { frame: FramePayload; closed: () => number } {
  let closed = 0;
  const bitmap = {
    width: 320,
    height: 240,
    close: () => {
      closed += 1;
    },
  };
  return { frame: { kind: 'bitmap', bitmap }, closed: () => closed };
}

/** A session that runs when it is told to. */
function manualSession() {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const open: ServiceDeps['openSession'] = async (...args) => {
    const session = await openReference(...args);
    return {
      get state() {
        return session.state;
      },
      run: async (input) => {
        await new Promise<void>((resolve, reject) => {
          waiting.push({ resolve, reject });
        });
        return session.run(input);
      },
      close: () => {
        session.close();
      },
    };
  };
  return { open, waiting };
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('load', () => {
  it('gives the info of model and session and reports its phases', async () => {
    const phases: string[] = [];
    const info = await setUp().load(({ phase }) => phases.push(phase));
    expect(phases).toEqual(['compile', 'self-test', 'compile', 'self-test', 'ready']);
    expect(info).toMatchObject({
      backend: 'reference',
      refusals: [],
      bytes: { pack: pack.length + finderPack.length },
      model: { name: 'dots', landmarks: ['red', 'green', 'blue'], minLandmarkScore: 0 },
      finder: { name: 'dots-finder', backend: 'reference' },
    });
    expect(info.kernels).toEqual(['conv2d_reference', 'conv2d_reference']);
    expect(info.model.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(info.model.multiplyAdds).toBe(32 * 32 * 81 + 16 * 16 * 81);
  });

  it('downloads by URL with progress', async () => {
    const progress: LoadProgress[] = [];
    const { service } = setUp({
      fetchPack: (url, { onProgress }) => {
        const file = url.endsWith('face.bitmarks') ? pack : finderPack;
        onProgress(file.length, file.length);
        return Promise.resolve(file);
      },
    });
    await service.load(
      {
        ...LOAD,
        packs: {
          landmarks: { url: 'http://host/face.bitmarks' },
          finder: { url: 'http://host/face-finder.bitmarks' },
        },
        callId: 1,
      },
      (event) => progress.push(event),
    );
    const all = pack.length + finderPack.length;
    const [first, ...others] = progress;
    // The size of the second file is not known yet.
    expect(first).toEqual({ phase: 'download', loadedBytes: pack.length, totalBytes: null });
    expect(others.map(({ phase }) => phase)).toEqual([
      ...['download', 'compile', 'self-test', 'compile', 'self-test', 'ready'],
    ]);
    for (const event of others) expect(event).toMatchObject({ loadedBytes: all, totalBytes: all });
  });

  it('refuses packs of another task or kind, and leaves nothing open', async () => {
    const { counts, load } = setUp();
    const { landmarks, finder } = packsOf();
    const refusal = (packs: Partial<ReturnType<typeof packsOf>>, task: 'face' | 'pose' = 'face') =>
      load(undefined, { task, packs: { ...packsOf(), ...packs } }).catch(
        ({ code, message }: BitmarksError) => `${code}: ${message}`,
      );
    expect(await refusal({}, 'pose')).toBe(
      "pack/malformed: the pack 'dots' is for the task 'face', expected 'pose'",
    );
    expect(await refusal({ finder: landmarks })).toBe(
      "pack/malformed: the pack 'dots' is for the task 'face', expected 'face-finder'",
    );
    expect(await refusal({ landmarks: finder })).toBe(
      "pack/malformed: the pack 'dots-finder' is for the task 'face-finder', expected 'face'",
    );
    expect(counts.openSessions).toBe(0);
  });

  it('closes the first network when the second cannot be opened', async () => {
    let opened = 0;
    let closed = 0;
    const { load } = setUp({
      openSession: async (...args) => {
        opened += 1;
        if (opened === 2) throw new BitmarksError('backend/unavailable', 'no more room');
        const session = await openReference(...args);
        return {
          state: session.state,
          run: (input) => session.run(input),
          close: () => {
            closed += 1;
          },
        };
      },
    });
    expect(await codeOf(load())).toBe('backend/unavailable');
    expect(closed).toBe(1);
  });

  it('closes the session when it is cancelled while that opens', async () => {
    let closed = 0;
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { service, load } = setUp({
      openSession: async (...args) => {
        await gate;
        const session = await openReference(...args);
        return {
          state: session.state,
          run: (input) => session.run(input),
          close: () => {
            closed += 1;
          },
        };
      },
    });
    const loading = codeOf(load());
    await tick();
    await service.cancel(1);
    open();
    expect(await loading).toBe('aborted');
    expect(closed).toBe(1);
    expect(await codeOf(service.info(ID))).toBe('closed');
  });

  it('replaces the model that was loaded before', async () => {
    const { counts, load } = setUp();
    await load();
    await load();
    expect(counts.openSessions).toBe(2);
  });
});

describe('several landmarkers', () => {
  it('live side by side, each with its own streams, and end one by one', async () => {
    const { service, counts, load, detect } = setUp();
    await Promise.all([load(), load(undefined, { landmarkerId: 2 })]);
    expect(counts.openSessions).toBe(4);
    for (const landmarkerId of [ID, 2]) {
      const { subjects, timings } = await detect({ landmarkerId, stream: { id: 0 } });
      expect(subjects.map(({ id }) => id)).toEqual([0]);
      // The stream of the other is not this one.
      expect(timings.inferences).toBeGreaterThan(1);
    }
    await service.unload(2);
    expect(counts.openSessions).toBe(2);
    expect(await codeOf(detect({ landmarkerId: 2 }))).toBe('closed');
    const { timings } = await detect({ stream: { id: 0 }, timestampMs: 40 });
    expect(timings.inferences).toBe(1);
    await service.unload(7);
    expect(counts).toEqual({ openSessions: 2, released: 0 });
  });

  it('do not wait for the download of another, and its calls end with it', async () => {
    const never = new Promise<Uint8Array>(() => undefined);
    const { service, load, detect } = setUp({
      fetchPack: (_, { signal }) =>
        Promise.race([
          never,
          new Promise<never>((__, reject) => {
            signal.addEventListener('abort', () => {
              reject(signal.reason as Error);
            });
          }),
        ]),
    });
    await load();
    const packs = { landmarks: { url: 'slow' }, finder: { url: 'slow' } };
    const loading = codeOf(load(undefined, { landmarkerId: 2, packs }));
    expect((await detect()).subjects).toHaveLength(1);
    const { frame, closed } = fakeBitmap();
    const first = detect();
    const second = codeOf(detect({ landmarkerId: 2, frame }));
    await service.unload(2);
    expect(await loading).toBe('closed');
    expect(await second).toBe('closed');
    expect(closed()).toBeGreaterThan(0);
    expect((await first).subjects).toHaveLength(1);
  });
});

describe('detect', () => {
  it('finds the face and says how long it took on what', async () => {
    const { load, detect } = setUp();
    await load();
    const result = await detect();
    expect(dotsError(result.subjects[0]?.landmarks, face, scene)).toBeLessThan(DOTS_TOLERANCE);
    expect(result).toMatchObject({ width: 320, height: 240, timestampMs: 5, backend: 'reference' });
    expect(result.timings.inferences).toBeGreaterThan(2);
    expect(result.timings.totalMs).toBeGreaterThanOrEqual(result.timings.inferenceMs);
  });

  it('follows a face in a stream with one inference until the stream ends', async () => {
    const { service, load, detect } = setUp();
    await load();
    await detect({ stream: { id: 3 }, timestampMs: 0 });
    const followed = await detect({ stream: { id: 3 }, timestampMs: 33 });
    expect(followed.timings.inferences).toBe(1);
    expect(dotsError(followed.subjects[0]?.landmarks, face, scene)).toBeLessThan(DOTS_TOLERANCE);
    await service.endStream(ID, 3);
    const anew = await detect({ stream: { id: 3 }, timestampMs: 66 });
    expect(anew.timings.inferences).toBeGreaterThan(1);
  });

  it('runs one call at a time, in order', async () => {
    let inside = 0;
    let most = 0;
    const { load, detect } = setUp({
      readPixels: async () => {
        inside += 1;
        most = Math.max(most, inside);
        await tick();
        inside -= 1;
        return scene;
      },
    });
    await load();
    const results = await Promise.all([1, 2, 3].map((timestampMs) => detect({ timestampMs })));
    expect(results.map(({ timestampMs }) => timestampMs)).toEqual([1, 2, 3]);
    expect(most).toBe(1);
  });

  it('says that nothing is loaded', async () => {
    expect(await codeOf(setUp().detect())).toBe('closed');
  });
});

describe('frames are closed', () => {
  it('after a result', async () => {
    const { load, detect } = setUp();
    await load();
    const { frame, closed } = fakeBitmap();
    await detect({ frame });
    expect(closed()).toBeGreaterThan(0);
  });

  it.each([
    [
      'reading fails',
      { readPixels: () => Promise.reject(new BitmarksError('input/invalid', 'x')) },
    ],
    ['nothing is loaded', {}],
  ])('when %s', async (name, deps) => {
    const { load, detect } = setUp(deps);
    if (name !== 'nothing is loaded') await load();
    const { frame, closed } = fakeBitmap();
    expect(await codeOf(detect({ frame }))).toMatch(/input\/invalid|closed/);
    expect(closed()).toBeGreaterThan(0);
  });

  it('when the call is cancelled while it waits', async () => {
    const { service, load, detect } = setUp();
    await load();
    const first = detect({ callId: 101 });
    const { frame, closed } = fakeBitmap();
    const second = codeOf(detect({ frame, callId: 102 }));
    await service.cancel(102);
    expect(await second).toBe('aborted');
    expect(closed()).toBeGreaterThan(0);
    expect((await first).subjects).toHaveLength(1);
  });

  it('when the service is closed meanwhile', async () => {
    const { service, counts, load, detect } = setUp();
    await load();
    const frames = [fakeBitmap(), fakeBitmap()];
    const calls = frames.map(({ frame }) => codeOf(detect({ frame })));
    await service.close();
    expect(await Promise.all(calls)).toEqual(['closed', 'closed']);
    expect(frames.every(({ closed }) => closed() > 0)).toBe(true);
    expect(counts).toEqual({ openSessions: 0, released: 1 });
    expect(await codeOf(detect())).toBe('closed');
  });
});

describe('cancel', () => {
  it('stops a search after the inference at hand and lets later calls through', async () => {
    const { open, waiting } = manualSession();
    const { service, load, detect } = setUp({ openSession: open });
    await load();
    const cancelled = codeOf(detect({ callId: 50 }));
    const next = detect();
    await tick();
    expect(waiting).toHaveLength(1);
    await service.cancel(50);
    waiting[0]?.resolve();
    expect(await cancelled).toBe('aborted');
    while (waiting.length < 3) {
      await tick();
      waiting.slice(1).forEach(({ resolve }) => {
        resolve();
      });
    }
    const timer = setInterval(() => {
      waiting.forEach(({ resolve }) => {
        resolve();
      });
    }, 1);
    expect((await next).subjects).toHaveLength(1);
    clearInterval(timer);
  });

  it('arrives in a search that takes long', async () => {
    let nowMs = 0;
    let yields = 0;
    const { service, load, detect } = setUp({
      readPixels: () => Promise.resolve(drawDots(320, 240, [])),
      // Every look at the clock costs 10 ms.
      nowMs: () => (nowMs += 10),
      yieldToMessages: async () => {
        yields += 1;
        if (yields === 3) await service.cancel(70);
      },
    });
    await load();
    expect(await codeOf(detect({ callId: 70 }))).toBe('aborted');
    expect(yields).toBe(3);
  });

  it('ignores unknown ids', async () => {
    await expect(setUp().service.cancel(9)).resolves.toBeUndefined();
  });
});

describe('the engine', () => {
  it('passes its failures on and works again in the next call', async () => {
    let failures = 1;
    const { load, detect } = setUp({
      openSession: async (...args) => {
        const session = await openReference(...args);
        return {
          get state() {
            return session.state;
          },
          run: (input) => {
            failures -= 1;
            return failures >= 0
              ? Promise.reject(new BitmarksError('device/lost', 'gone'))
              : session.run(input);
          },
          close: () => {
            session.close();
          },
        };
      },
    });
    await load();
    expect(await codeOf(detect())).toBe('device/lost');
    expect((await detect()).subjects).toHaveLength(1);
  });
});
