/** The worker's service: results of a real network, and what becomes of calls, frames and sessions when things go wrong. */
import { describe, expect, it } from 'vitest';
import { BitmarksError } from '../../src/errors';
import { codeOf } from '../helpers/codes';
import { DOTS_TOLERANCE, dotsError, drawDots } from '../helpers/dots';
import {
  ID,
  face,
  scene,
  setUp,
  fakeBitmap,
  manualSession,
  openReference,
  tick,
} from '../helpers/dots_service';

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
    const { open, waiting } = manualSession();
    const { load, detect } = setUp({ openSession: open });
    await load();
    const done: number[] = [];
    for (const timestampMs of [1, 2, 3]) {
      void detect({ timestampMs }).then(() => done.push(timestampMs));
    }
    while (done.length < 3) {
      await tick();
      expect(waiting.length).toBeLessThanOrEqual(1);
      waiting.pop()?.resolve();
    }
    expect(done).toEqual([1, 2, 3]);
  });

  it('reads and stages a frame while the call before runs', async () => {
    const { open, waiting, staged } = manualSession();
    const { load, detect } = setUp({ openSession: open });
    await load();
    const frames = [fakeBitmap(), fakeBitmap()];
    const calls = frames.map(({ frame }) => detect({ frame }));
    await tick();
    expect(waiting).toHaveLength(1);
    expect(staged.map(({ width, height }) => [width, height])).toEqual([
      [320, 240],
      [320, 240],
    ]);
    expect(new Set(staged.map(({ id }) => id)).size).toBe(2);
    expect(frames.every(({ closed }) => closed() > 0)).toBe(true);
    const found: number[] = [];
    for (const call of calls) void call.then(({ subjects }) => found.push(subjects.length));
    while (found.length < 2) {
      waiting.pop()?.resolve();
      await tick();
    }
    expect(found).toEqual([1, 1]);
  });

  it('gives the engine frames, whatever else comes with the pixels', async () => {
    const { open, waiting, kinds } = manualSession();
    const pixels = { ...scene, kind: 'pixels' };
    const { load, detect } = setUp({
      openSession: open,
      readPixels: () => Promise.resolve(pixels),
    });
    await load();
    const found: number[] = [];
    void detect().then(({ subjects }) => found.push(subjects.length));
    while (found.length === 0) {
      await tick();
      waiting.pop()?.resolve();
    }
    expect(found).toEqual([1]);
    expect(new Set(kinds)).toEqual(new Set(['frame']));
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
          runSums: (input) => session.runSums(input),
          stage: () => undefined,
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
