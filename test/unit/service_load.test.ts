/** Landmarkers in the worker: loaded, replaced, side by side, and what becomes of them when loading goes wrong. */
import { describe, expect, it } from 'vitest';
import { BitmarksError } from '../../src/errors';
import type { LoadProgress } from '../../src/protocol/service';
import { parsePack } from '../../src/model/pack';
import { codeOf } from '../helpers/codes';
import { ModelBuilder } from '../helpers/model_builder';
import { writePack } from '../helpers/pack_writer';
import { FakeCache } from '../helpers/fake_cache';
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

  it('says from which score a landmark is in the picture: that of the pack, else that of regions', async () => {
    const scoreOf = async (rule: { landmark?: number; visible?: number }) => {
      const changed = (bytes: Uint8Array) => {
        const model = parsePack(bytes);
        const { roi } = model.manifest;
        return { ...model, manifest: { ...model.manifest, roi: { ...roi, ...rule } } };
      };
      return (await setUp({ parsePack: changed }).load()).model.minLandmarkScore;
    };
    expect(await scoreOf({ landmark: 0.1, visible: 0.25 })).toBe(0.25);
    expect(await scoreOf({ landmark: 0.1 })).toBe(0.1);
  });

  it('downloads by URL with progress', async () => {
    const progress: LoadProgress[] = [];
    const { service } = setUp({
      fetchPack: (url, { onProgress }) => {
        const file = url.endsWith('face.bitmarks') ? pack : finderPack;
        onProgress(file.length, file.length);
        return Promise.resolve({ bytes: file, isCopy: false });
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

  it('says where the time went', async () => {
    let nowMs = 1000;
    const pass = (ms: number): void => {
      nowMs += ms;
    };
    const { load } = setUp({
      nowMs: () => nowMs,
      warmUp: () => {
        pass(7);
        return Promise.resolve(() => undefined);
      },
      fetchPack: (url) => {
        pass(10);
        const bytes = url.endsWith('finder') ? finderPack : pack;
        return Promise.resolve({ bytes, isCopy: false });
      },
      parsePack: (file) => {
        pass(2);
        return parsePack(file);
      },
      openSession: (model, request, onPhase) => {
        onPhase('compile');
        pass(20);
        onPhase('self-test');
        pass(30);
        return openReference(model, request, () => undefined);
      },
    });
    const packs = { landmarks: { url: 'http://host/face' }, finder: { url: 'http://host/finder' } };
    const { timings } = await load(undefined, { packs });
    expect(timings).toEqual({
      workerMs: 3,
      downloadMs: 27,
      backendMs: 7,
      parseMs: 4,
      compileMs: 40,
      selfTestMs: 60,
      totalMs: 134,
      isCopy: false,
    });
    expect((await load()).timings.isCopy).toBe(true);
  });

  it('keeps copies of downloads that proved good, and of nothing else', async () => {
    const cache = new FakeCache();
    const answer = (bytes: Uint8Array<ArrayBuffer>, isCopy: boolean) =>
      setUp({
        openCache: () => Promise.resolve(cache),
        fetchPack: () => Promise.resolve({ bytes, isCopy }),
      });
    const packs = { landmarks: { url: 'http://host/face' }, finder: null };
    const damaged = pack.slice();
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    expect(await codeOf(answer(damaged, false).load(undefined, { packs }))).toBe('pack/hash');
    await answer(pack, true).load(undefined, { packs });
    await answer(pack, false).load(undefined, { packs, cache: false });
    await answer(pack, false).load();
    expect([...cache.texts.keys()]).toEqual([]);
    await answer(pack, false).load(undefined, { packs });
    expect([...cache.texts.keys()]).toEqual(['http://host/face']);
  });

  it('opens the backend beside the download, and lets go of it whatever happens', async () => {
    let released = 0;
    const log: string[] = [];
    const warmUp = (): Promise<() => void> => {
      log.push('warm-up');
      return Promise.resolve(() => {
        released += 1;
      });
    };
    const packs = { landmarks: { url: 'http://host/face' }, finder: null };
    const good = setUp({
      warmUp,
      fetchPack: async () => {
        await tick();
        log.push('downloaded');
        return { bytes: pack, isCopy: false };
      },
    });
    await good.load(undefined, { packs });
    await tick();
    expect(log).toEqual(['warm-up', 'downloaded']);
    expect(released).toBe(1);
    const bad = setUp({ warmUp, fetchPack: () => Promise.reject(new BitmarksError('closed', '')) });
    expect(await codeOf(bad.load(undefined, { packs }))).toBe('closed');
    await tick();
    expect(released).toBe(2);
    const none = setUp({ warmUp: () => Promise.reject(new Error('no backend')) });
    expect((await none.load()).backend).toBe('reference');
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

  it('runs as many refinement passes as it is asked for', async () => {
    const builder = new ModelBuilder(32, 32);
    const conv = {
      kernel: 3,
      outChannels: 5,
      encoding: 'i8',
      weights: (i: number) => (i % 7) - 3,
    } as const;
    const first = builder.conv(builder.image, { ...conv, stride: 2 });
    const second = builder.conv(builder.requantize([first], { shift: 3 }), conv);
    const bytes = Uint8Array.from(writePack(builder.build([first, second])));
    const { load } = setUp();
    const infoOf = async (refinements: number | null) => {
      const packs = { landmarks: { bytes: bytes.slice().buffer }, finder: null };
      const { model, kernels } = await load(undefined, { packs, refinements, selfTest: false });
      return { ...model, steps: kernels.length };
    };
    const firstPass = 16 * 16 * 9 * 3 * 5;
    const both = { refinements: 1, steps: 2, multiplyAdds: firstPass + 16 * 16 * 9 * 5 * 5 };
    expect(await infoOf(null)).toMatchObject(both);
    expect(await infoOf(1)).toMatchObject(both);
    expect(await infoOf(0)).toMatchObject({ refinements: 0, steps: 1, multiplyAdds: firstPass });
    await expect(load(undefined, { refinements: 1 })).rejects.toMatchObject({
      code: 'options/invalid',
      message: "refinements is 1, but the pack 'dots' has none; ask for at most 0",
    });
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
          stage: () => undefined,
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
          stage: () => undefined,
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
    const never = new Promise<never>(() => undefined);
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
