/** Landmarkers in the worker: loaded, replaced, side by side, and what becomes of them when loading goes wrong. */
import { describe, expect, it } from 'vitest';
import { BitmarksError } from '../../src/errors';
import type { LoadProgress } from '../../src/protocol/service';
import { codeOf } from '../helpers/codes';
import {
  ID,
  LOAD,
  pack,
  finderPack,
  packsOf,
  setUp,
  fakeBitmap,
  openReference,
  tick,
} from '../helpers/dots_service';

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
      load(undefined, { task, packs: { ...packsOf(), ...packs } }).catch((error: unknown) =>
        error instanceof BitmarksError ? `${error.code}: ${error.message}` : String(error),
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
          runSums: (input) => session.runSums(input),
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
          runSums: (input) => session.runSums(input),
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
