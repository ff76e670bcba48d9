/**
 * The life of the worker in a real browser: loads that fail, deaths, aborts, lost devices, and that nothing is left behind.
 */
import { describe, expect, it, vi } from 'vitest';
import { FaceLandmarker, type FaceLandmarkerOptions } from '../../src/index';
import realWorkerUrl from '../../workers/landmark.worker?worker&url';
import { watchWorkers } from '../helpers/alive_workers';
import { codeOf } from '../helpers/codes';
import { DOTS_TOLERANCE, dotsError, dotsPack, drawDots, type DotsFace } from '../helpers/dots';
import { dotsFinderPack } from '../helpers/dots_finder';

const pack = dotsPack();
const finder = dotsFinderPack();
const face: DotsFace = { x: 120, y: 110, size: 110 };
const scene = drawDots(320, 240, [face]);
const image = new ImageData(scene.data, scene.width, scene.height);
const RealWorker = globalThis.Worker;
const alive = watchWorkers();
const WORKER = new URL(realWorkerUrl, location.href).href;

function theWorker(): Worker {
  const [worker] = alive;
  if (worker === undefined) throw new Error('no worker is alive');
  return worker;
}

function scriptUrl(code: string): string {
  return URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
}

/** The real worker after a few lines of the test. Static imports: messages are lost while a worker waits at its top level. */
function workerWith(code: string): string {
  return scriptUrl(
    [scriptUrl(code), WORKER].map((url) => `import ${JSON.stringify(url)};`).join('\n'),
  );
}

function create(options: FaceLandmarkerOptions = {}): Promise<FaceLandmarker> {
  return FaceLandmarker.create({ model: pack, finder, delegate: 'wasm', ...options });
}

async function expectWorking(landmarker: FaceLandmarker): Promise<void> {
  const { faces } = await landmarker.detect(image);
  expect(dotsError(faces[0]?.landmarks, face, scene)).toBeLessThan(DOTS_TOLERANCE);
}

describe('a worker that does not start', () => {
  it.each([
    ['throws at load', scriptUrl('throw new Error("broken at load")'), 'broken at load'],
    ['does not parse', scriptUrl('let let = 3'), ''],
    ['does not exist', '/no/such/worker.js', ''],
  ])('because its script %s is worker/failed', async (_, workerUrl, text) => {
    const error: unknown = await create({ workerUrl }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'worker/failed' });
    expect((error as Error).message).toContain(text);
    await vi.waitFor(() => {
      expect(alive.size).toBe(0);
    });
  });
});

describe('a worker that dies', () => {
  it('by the hand of the page rejects the call in flight with worker/crashed', async () => {
    const landmarker = await create();
    const call = codeOf(landmarker.detect(image));
    const worker = theWorker();
    RealWorker.prototype.terminate.call(worker);
    expect(await call).toBe('worker/crashed');
    expect(await codeOf(landmarker.detect(image))).toBe('worker/crashed');
    expect(alive.size).toBe(0);
  });

  it.each([
    ['an error', 'setTimeout(() => { throw new RangeError("boom"); })'],
    ['a rejection that nobody awaits', 'Promise.reject(new RangeError("boom"))'],
  ])('of %s rejects the call in flight with worker/crashed', async (_, crash) => {
    const landmarker = await create({
      // A decoder that never answers keeps the call in flight.
      workerUrl: workerWith(`
        globalThis.createImageBitmap = () => new Promise(() => undefined);
        addEventListener('message', ({ data }) => { if (data.crash) { ${crash} } });`),
    });
    const call = landmarker.detect(new Blob(['x'])).catch((reason: unknown) => reason);
    theWorker().postMessage({ crash: true });
    const error: unknown = await call;
    expect(error).toMatchObject({ code: 'worker/crashed' });
    expect((error as Error).message).toContain('RangeError: boom');
    expect(alive.size).toBe(0);
  });
});

describe('close', () => {
  it('rejects calls in flight with closed and ends the worker', async () => {
    const landmarker = await create();
    const calls = [1, 2, 3].map(() => codeOf(landmarker.detect(image)));
    landmarker.close();
    landmarker.close();
    expect(await Promise.all(calls)).toEqual(['closed', 'closed', 'closed']);
    expect(await codeOf(landmarker.detect(image))).toBe('closed');
    expect(await codeOf(landmarker.detectForVideo(image, 1))).toBe('closed');
    await landmarker[Symbol.asyncDispose]();
    expect(alive.size).toBe(0);
  });

  it('of one landmarker leaves the others of the page, which share its worker', async () => {
    const [first, second] = await Promise.all([create(), create()]);
    expect(alive.size).toBe(1);
    const streams = [first, second].map((landmarker) => landmarker.detectForVideo(image, 1));
    for (const { faces } of await Promise.all(streams)) {
      expect(faces.map(({ id }) => id)).toEqual([0]);
    }
    const calls = [codeOf(first.detect(image)), second.detect(image)] as const;
    await first[Symbol.asyncDispose]();
    expect(await calls[0]).toBe('closed');
    expect((await calls[1]).faces).toHaveLength(1);
    expect(await codeOf(first.detect(image))).toBe('closed');
    expect(alive.size).toBe(1);
    // The stream of the second went on.
    expect((await second.detectForVideo(image, 2)).timings.inferences).toBe(1);
    await second[Symbol.asyncDispose]();
    expect(alive.size).toBe(0);
  });

  it('happens at the end of an await using', async () => {
    {
      await using landmarker = await create();
      await expectWorking(landmarker);
      expect(alive.size).toBe(1);
    }
    expect(alive.size).toBe(0);
  });
});

describe('abort', () => {
  it('of create before it begins, while the worker starts, and while the pack loads', async () => {
    expect(await codeOf(create({ signal: AbortSignal.abort() }))).toBe('aborted');

    const early = new AbortController();
    const starting = codeOf(create({ signal: early.signal }));
    early.abort();
    expect(await starting).toBe('aborted');

    const late = new AbortController();
    const loading = create({
      signal: late.signal,
      model: URL.createObjectURL(new Blob([pack])),
      onProgress: () => {
        late.abort();
      },
    });
    expect(await codeOf(loading)).toBe('aborted');
    await vi.waitFor(() => {
      expect(alive.size).toBe(0);
    }, 5_000);
  });

  it('of a long search on WASM reaches the worker before the search is over', async () => {
    const landmarker = await create({
      // A finder would look at the frame in a moment.
      finder: null,
      workerUrl: workerWith(`
        const log = [];
        let detectId;
        const post = self.postMessage.bind(self);
        self.postMessage = (message, ...rest) => {
          if (message.id === detectId) log.push('answer');
          post(message, ...rest);
        };
        addEventListener('message', ({ data }) => {
          if (data.path?.[0] === 'detect') detectId = data.id;
          if (data.path?.[0] === 'cancel') log.push('cancel');
          if (data.readLog) post({ log });
        });`),
    });
    // Some thousand windows: seconds of search, of which only the time until the abort is waited for.
    const wide = drawDots(8000, 50, []);
    const controller = new AbortController();
    const { signal } = controller;
    const call = codeOf(
      landmarker.detect(new ImageData(wide.data, wide.width, wide.height), { signal }),
    );
    // Let the request leave first.
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    expect(await call).toBe('aborted');
    const worker = theWorker();
    const log = await vi.waitFor(
      () =>
        new Promise<string[]>((resolve, reject) => {
          const listener = ({ data }: MessageEvent<{ log?: string[] }>): void => {
            if (data.log === undefined) return;
            worker.removeEventListener('message', listener);
            if (data.log.length < 2) reject(new Error('not yet'));
            resolve(data.log);
          };
          worker.addEventListener('message', listener);
          worker.postMessage({ readLog: true });
        }),
      { timeout: 10_000 },
    );
    expect(log).toEqual(['cancel', 'answer']);
    await landmarker[Symbol.asyncDispose]();
  });

  it('of detect leaves the landmarker working', async () => {
    const landmarker = await create();
    const controller = new AbortController();
    const call = codeOf(landmarker.detect(image, { signal: controller.signal }));
    controller.abort();
    expect(await call).toBe('aborted');
    expect(await codeOf(landmarker.detect(image, { signal: controller.signal }))).toBe('aborted');
    await expectWorking(landmarker);
    landmarker.close();
    await vi.waitFor(() => {
      expect(alive.size).toBe(0);
    });
  });
});

describe('a pack', () => {
  const damaged = pack.slice();
  damaged[damaged.length - 3] = (damaged[damaged.length - 3] ?? 0) ^ 1;

  it.each<[string, FaceLandmarkerOptions['model'], string]>([
    ['that was damaged', damaged, 'pack/hash'],
    ['that was cut', pack.subarray(0, pack.length - 9), 'pack/truncated'],
    [
      'that is something else',
      new TextEncoder().encode('<!doctype html> no pack'),
      'pack/malformed',
    ],
    ['whose host cannot be reached', 'http://127.0.0.1:1/face.bitmarks', 'pack/network'],
  ])('%s', async (_, model, code) => {
    expect(await codeOf(create({ model }))).toBe(code);
    await vi.waitFor(() => {
      expect(alive.size).toBe(0);
    });
  });

  it('that does not exist', async () => {
    // The test server answers unknown paths with a page of its own.
    expect(await codeOf(create({ model: '/no/such/face.bitmarks' }))).toBe('pack/not-found');
  });

  it('whose golden vector the backend does not compute', async () => {
    const text = new TextDecoder('latin1').decode(pack);
    const hash = /\\"sha256\\":\[\\"([0-9a-f]{64})/.exec(text);
    if (hash?.[1] === undefined) throw new Error('no golden hash in the header');
    const wrong = pack.slice();
    wrong.fill(0x30, text.indexOf(hash[1]), text.indexOf(hash[1]) + 64);
    expect(await codeOf(create({ model: wrong }))).toBe('pack/golden');
    const landmarker = await create({ model: wrong, selfTest: false });
    await expectWorking(landmarker);
    landmarker.close();
  });
});

describe('a GPU', () => {
  it('is asked for once by all landmarkers of the page', async () => {
    const workerUrl = workerWith(`
      const { requestDevice } = GPUAdapter.prototype;
      let devices = 0;
      GPUAdapter.prototype.requestDevice = function (...args) {
        devices += 1;
        return requestDevice.apply(this, args);
      };
      addEventListener('message', ({ data }) => { if (data.countDevices) postMessage({ devices }); });`);
    const options = { delegate: 'webgpu', workerUrl } as const;
    const first = await create(options);
    const second = await create(options);
    const devices = new Promise<number>((resolve) => {
      theWorker().addEventListener('message', ({ data }: MessageEvent<{ devices?: number }>) => {
        if (data.devices !== undefined) resolve(data.devices);
      });
      theWorker().postMessage({ countDevices: true });
    });
    expect(await devices).toBe(1);
    first.close();
    await expectWorking(second);
    await second[Symbol.asyncDispose]();
  });

  it('that no adapter is given for leads to WASM, and the refusal says so', async () => {
    const landmarker = await create({
      delegate: 'auto',
      workerUrl: workerWith('navigator.gpu.requestAdapter = () => Promise.resolve(null);'),
    });
    expect(landmarker.info.backend).toBe('wasm');
    expect(landmarker.info.refusals).toEqual([
      { backend: 'webgpu', reason: expect.stringContaining('no GPU adapter') as string },
    ]);
    await expectWorking(landmarker);
    landmarker.close();
  });

  it('that is asked for by name and missing is backend/unavailable', async () => {
    const created = create({
      delegate: 'webgpu',
      workerUrl: workerWith('navigator.gpu.requestAdapter = () => Promise.resolve(null);'),
    });
    expect(await codeOf(created)).toBe('backend/unavailable');
  });

  it('that is lost in a call leads to WASM; the call is answered, and info says so', async () => {
    const landmarker = await create({
      delegate: 'auto',
      workerUrl: workerWith(`
        const { requestDevice } = GPUAdapter.prototype;
        GPUAdapter.prototype.requestDevice = async function (...args) {
          const device = await requestDevice.apply(this, args);
          const { submit } = device.queue;
          let isArmed = false;
          addEventListener('message', ({ data }) => { isArmed ||= data.loseDevice === true; });
          device.queue.submit = function (...buffers) {
            if (isArmed) device.destroy();
            return submit.apply(this, buffers);
          };
          return device;
        };`),
    });
    expect(landmarker.info.backend).toBe('webgpu');
    const before = await landmarker.detectForVideo(image, 1);
    expect(before.backend).toBe('webgpu');
    theWorker().postMessage({ loseDevice: true });
    const after = await landmarker.detectForVideo(image, 2);
    expect(after.backend).toBe('wasm');
    // The stream went on: same identity, one inference.
    expect(after.faces.map(({ id }) => id)).toEqual(before.faces.map(({ id }) => id));
    expect(after.timings.inferences).toBe(1);
    expect(landmarker.info.backend).toBe('wasm');
    expect(landmarker.info.refusals).toEqual([
      { backend: 'webgpu', reason: expect.stringContaining('lost') as string },
    ]);
    await expectWorking(landmarker);
    landmarker.close();
  });
});

describe('nothing is left behind', () => {
  it.each(['wasm', 'webgpu'] as const)('after 30 calls on %s and close', async (delegate) => {
    // Counts the frames that came in and are still open.
    const landmarker = await create({
      delegate,
      workerUrl: workerWith(`
        const open = new Set();
        let most = 0;
        for (const Frame of [ImageBitmap, VideoFrame]) {
          const { close } = Frame.prototype;
          Frame.prototype.close = function () { open.delete(this); close.call(this); };
        }
        addEventListener('message', ({ data }) => {
          for (const { value } of data.argumentList ?? []) {
            const frame = value?.frame?.bitmap ?? value?.frame?.frame;
            if (frame !== undefined) open.add(frame);
          }
          most = Math.max(most, open.size);
          if (data.countFrames) postMessage({ openFrames: open.size, most });
        });`),
    });
    const worker = theWorker();
    const countFrames = () =>
      new Promise<{ openFrames: number; most: number }>((resolve) => {
        const listener = ({ data }: MessageEvent<{ openFrames: number; most: number }>): void => {
          if (!('openFrames' in data)) return;
          worker.removeEventListener('message', listener);
          resolve(data);
        };
        worker.addEventListener('message', listener);
        worker.postMessage({ countFrames: true });
      });
    const { bytes } = landmarker.info;
    const bitmap = await createImageBitmap(image);
    const videoFrame = new VideoFrame(bitmap, { timestamp: 0 });
    for (let i = 0; i < 10; i += 1) {
      await landmarker.detect(bitmap);
      await landmarker.detectForVideo(videoFrame, i);
      const controller = new AbortController();
      const aborted = codeOf(landmarker.detect(bitmap, { signal: controller.signal }));
      await Promise.resolve();
      controller.abort();
      expect(await aborted).toBe('aborted');
    }
    await landmarker.detect(bitmap);
    const { openFrames, most } = await countFrames();
    expect(openFrames).toBe(0);
    // The count itself works: calls in flight hold frames.
    expect(most).toBeGreaterThan(0);
    expect(landmarker.info.bytes).toEqual(bytes);
    bitmap.close();
    videoFrame.close();
    await landmarker[Symbol.asyncDispose]();
    expect(alive.size).toBe(0);
  });
});
