/** Sessions over fake and real backends: order, refusals, self-test, queue, device loss, close. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type {
  Backend,
  BackendName,
  BackendOptions,
  CompiledModel,
  EngineInput,
  Heatmaps,
} from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { backendOrder, openBackend, type FactoryLoader } from '../../src/engine/registry';
import { Session, type SessionOptions } from '../../src/engine/session';
import { BitmarksError } from '../../src/errors';
import { goldenImage, heatmapHash } from '../../src/model/golden';
import type { Model } from '../../src/model/types';
import { ModelBuilder } from '../helpers/model_builder';
import { randomImage } from '../helpers/random_model';

const engine: BackendOptions = { wasmUrls: { simd128: 'unused', relaxed: 'unused' } };

/** Two passes; the second adds a bias, so that they differ. */
function twoPassModel(): Model {
  const builder = new ModelBuilder(6, 6);
  const first = builder.conv(builder.image, {
    outChannels: 3,
    encoding: 'i8',
    weights: (i) => i - 4,
  });
  const activation = builder.requantize([first], { bias: () => 50, shift: 4 });
  const second = builder.conv(activation, {
    outChannels: 3,
    encoding: 'i8',
    weights: (i) => 4 - i,
  });
  return builder.build([first, second]);
}

async function referenceHeatmaps(
  model: Model,
  image: Uint8Array,
  output?: string,
): Promise<Heatmaps> {
  const backend = await createReferenceBackend();
  const compiled = await backend.compile(model, planGraph(model, output));
  return compiled.run({ kind: 'crop', data: image });
}

/** Wraps the reference under another name, with faults to order. */
class FakeBackend implements Backend {
  readonly lost: Promise<string>;
  lose: (reason: string) => void = () => undefined;
  readonly name: BackendName;
  readonly device = 'fake';
  isClosed = false;
  compiles = 0;
  concurrent = 0;
  mostConcurrent = 0;
  /** Called before each run; may throw or hang. */
  beforeRun: () => Promise<void> = () => Promise.resolve();
  afterRun: (heatmaps: Heatmaps) => Heatmaps = (heatmaps) => heatmaps;
  failCompile: BitmarksError | null = null;
  private readonly inner = createReferenceBackend();

  constructor(name: BackendName) {
    this.name = name;
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  async compile(...args: Parameters<Backend['compile']>): Promise<CompiledModel> {
    this.compiles++;
    if (this.failCompile !== null) throw this.failCompile;
    const compiled = await (await this.inner).compile(...args);
    return {
      kernels: compiled.kernels.map((kernel) => `${kernel}_${this.name}`),
      bytes: { weights: 100, activations: 10 },
      run: (input) => this.run(compiled, input),
      readCrop: () => compiled.readCrop(),
      close: () => compiled.close(),
    };
  }

  close(): void {
    this.isClosed = true;
  }

  private async run(compiled: CompiledModel, input: EngineInput): Promise<Heatmaps> {
    this.mostConcurrent = Math.max(this.mostConcurrent, ++this.concurrent);
    try {
      await this.beforeRun();
      return this.afterRun(await compiled.run(input));
    } finally {
      this.concurrent--;
    }
  }
}

let webgpu: FakeBackend;
let wasm: FakeBackend;
let unavailable: Partial<Record<BackendName, Error>>;
let loaded: BackendName[];
const model = twoPassModel();
const image = randomImage(model, 1);
const crop: EngineInput = { kind: 'crop', data: image };

const fakeLoader: FactoryLoader = (name) => {
  loaded.push(name);
  const error = unavailable[name];
  if (error !== undefined) return Promise.reject(error);
  return Promise.resolve(() => Promise.resolve(name === 'webgpu' ? webgpu : wasm));
};

function options(changes: Partial<SessionOptions> = {}): SessionOptions {
  return { backend: 'auto', engine, selfTest: false, loadFactory: fakeLoader, ...changes };
}

beforeEach(() => {
  webgpu = new FakeBackend('webgpu');
  wasm = new FakeBackend('wasm');
  unavailable = {};
  loaded = [];
});

describe('the registry', () => {
  const unprepared = (): Promise<void> => Promise.resolve();

  test('tries WebGPU, then WASM; the reference only by name', () => {
    expect(backendOrder('auto')).toEqual(['webgpu', 'wasm']);
    expect(backendOrder('reference')).toEqual(['reference']);
  });

  test('loads the reference by itself', async () => {
    const { backend, refusals } = await openBackend(['reference'], engine, unprepared);
    expect(backend.name).toBe('reference');
    expect(refusals).toEqual([]);
  });

  test('says in Node that there is no WebGPU, and takes the next', async () => {
    const { backend, refusals } = await openBackend(['webgpu', 'reference'], engine, unprepared);
    expect(backend.name).toBe('reference');
    expect(refusals).toEqual([
      { backend: 'webgpu', reason: expect.stringContaining('no WebGPU') as string },
    ]);
  });

  test.each([
    ['no adapter', null, 'no GPU adapter'],
    ['no URL of the engine', {}, 'no URL of the WebGPU engine'],
  ])('refuses WebGPU with %s before any download', async (_, adapter, reason) => {
    vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.resolve(adapter) } });
    try {
      const opening = openBackend(['webgpu'], engine, unprepared);
      await expect(opening).rejects.toMatchObject({
        code: 'backend/unavailable',
        message: expect.stringContaining(reason) as string,
      });
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe('opening', () => {
  test('takes the first backend and tells what runs', async () => {
    const phases: string[] = [];
    const session = await Session.create(
      model,
      options({ onPhase: (phase) => phases.push(phase) }),
    );
    expect(session.state).toEqual({
      backend: 'webgpu',
      device: 'fake',
      kernels: ['conv2d_reference_webgpu', 'conv2d_reference_webgpu'],
      refusals: [],
      bytes: { weights: 100, activations: 10 },
      multiplyAdds: 36 * 9 * 2,
    });
    expect(loaded).toEqual(['webgpu']);
    expect(phases).toEqual(['compile']);
  });

  test('notes why better backends were refused', async () => {
    unavailable.webgpu = new BitmarksError('backend/unavailable', 'there is no GPU');
    const session = await Session.create(model, options());
    expect(session.state.backend).toBe('wasm');
    expect(session.state.refusals).toEqual([{ backend: 'webgpu', reason: 'there is no GPU' }]);
  });

  test('moves on and closes the backend when it cannot compile', async () => {
    webgpu.failCompile = new BitmarksError('backend/failed', 'no kernel for conv2d');
    const session = await Session.create(model, options());
    expect(session.state.refusals).toEqual([{ backend: 'webgpu', reason: 'no kernel for conv2d' }]);
    expect(webgpu.isClosed).toBe(true);
  });

  test('names every reason when nothing runs', async () => {
    unavailable.webgpu = new BitmarksError('backend/unavailable', 'there is no GPU');
    unavailable.wasm = new TypeError('boom');
    await expect(Session.create(model, options())).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: 'no backend can run here. webgpu: there is no GPU. wasm: boom',
    });
  });
});

describe('the self-test', () => {
  const golden = async (): Promise<Model> => {
    const { data } = await referenceHeatmaps(model, goldenImage(model));
    const sha256 = ['0'.repeat(64), heatmapHash(data)];
    return { ...model, manifest: { ...model.manifest, golden: { seed: 1, sha256 } } };
  };

  test('passes a backend that computes the golden heatmaps', async () => {
    const phases: string[] = [];
    const onPhase = (phase: string): number => phases.push(phase);
    const session = await Session.create(await golden(), options({ selfTest: true, onPhase }));
    expect(session.state.backend).toBe('webgpu');
    expect(phases).toEqual(['compile', 'self-test']);
  });

  test('refuses a backend with one wrong value and takes the next', async () => {
    webgpu.afterRun = (heatmaps) => ({
      ...heatmaps,
      data: heatmaps.data.map((v, i) => (i === 7 ? v + 1 : v)),
    });
    const session = await Session.create(await golden(), options({ selfTest: true }));
    expect(session.state.backend).toBe('wasm');
    expect(session.state.refusals[0]?.reason).toContain(
      'the webgpu backend computes other heatmaps',
    );
    expect(webgpu.isClosed).toBe(true);
  });

  test('fails with pack/golden when every backend disagrees with the pack', async () => {
    await expect(Session.create(model, options({ selfTest: true }))).rejects.toMatchObject({
      code: 'pack/golden',
    });
  });
});

describe('running', () => {
  test('gives the last pass, or the one asked for, compiled once each', async () => {
    const session = await Session.create(model, options());
    const [first = ''] = model.graph.outputs;
    const last = await referenceHeatmaps(model, image);
    expect(await session.run(crop)).toEqual(last);
    expect(await session.run(crop, 0)).toEqual(await referenceHeatmaps(model, image, first));
    expect(await session.run(crop, 0)).not.toEqual(last);
    expect(await session.run(crop, 1)).toEqual(last);
    expect(webgpu.compiles).toBe(2);
    expect(session.state.bytes).toEqual({ weights: 200, activations: 20 });
  });

  test('one call at a time, in order', async () => {
    const session = await Session.create(model, options());
    const order: number[] = [];
    webgpu.beforeRun = () => new Promise((resolve) => setTimeout(resolve, 2));
    await Promise.all(
      [0, 1, 2, 3].map(async (index) => {
        await session.run(crop);
        order.push(index);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3]);
    expect(webgpu.mostConcurrent).toBe(1);
  });

  test('a failed call leaves the queue usable', async () => {
    const session = await Session.create(model, options());
    webgpu.beforeRun = () => Promise.reject(new BitmarksError('backend/failed', 'out of memory'));
    await expect(session.run(crop)).rejects.toMatchObject({ code: 'backend/failed' });
    webgpu.beforeRun = () => Promise.resolve();
    await expect(session.run(crop)).resolves.toBeDefined();
  });

  test('shows the crop of the last frame', async () => {
    const session = await Session.create(model, options());
    const data = new Uint8Array(9 * 9 * 4).fill(77);
    const affine = [0, 0, 65536, 0, 0, 65536] as const;
    await session.run({ kind: 'frame', data, width: 9, height: 9, affine, taps: 1 });
    expect(await session.readCrop()).toEqual(new Uint8Array(108).fill(77));
  });

  test.each([-1, 2, 0.5])('refuses pass %d', async (pass) => {
    const session = await Session.create(model, options());
    await expect(session.run(crop, pass)).rejects.toMatchObject({ code: 'options/invalid' });
  });

  test('refuses an input that does not fit before the backend sees it', async () => {
    const session = await Session.create(model, options());
    const short: EngineInput = { kind: 'crop', data: image.subarray(1) };
    await expect(session.run(short)).rejects.toMatchObject({ code: 'input/invalid' });
    expect(webgpu.mostConcurrent).toBe(0);
  });
});

describe('a lost device', () => {
  const hang = (): Promise<void> => new Promise(() => undefined);

  test('between calls: the next backend is opened at once', async () => {
    const session = await Session.create(model, options());
    webgpu.lose('the driver crashed');
    await vi.waitFor(() => expect(session.state.backend).toBe('wasm'));
    expect(session.state.refusals).toEqual([{ backend: 'webgpu', reason: 'the driver crashed' }]);
    expect(webgpu.isClosed).toBe(true);
    expect(await session.run(crop)).toEqual(await referenceHeatmaps(model, image));
  });

  test('during a call that would hang: the call settles with heatmaps of the next backend', async () => {
    const session = await Session.create(model, options());
    webgpu.beforeRun = hang;
    const running = session.run(crop);
    const waiting = session.run(crop);
    await vi.waitFor(() => expect(webgpu.concurrent).toBe(1));
    webgpu.lose('gone');
    const expected = await referenceHeatmaps(model, image);
    expect(await running).toEqual(expected);
    expect(await waiting).toEqual(expected);
    expect(session.state.backend).toBe('wasm');
  });

  test('reported by the call itself: the same, and one refusal only', async () => {
    const session = await Session.create(model, options());
    webgpu.beforeRun = () => {
      webgpu.lose('gone');
      return Promise.reject(new BitmarksError('device/lost', 'gone'));
    };
    expect(await session.run(crop)).toEqual(await referenceHeatmaps(model, image));
    expect(session.state.refusals).toEqual([{ backend: 'webgpu', reason: 'gone' }]);
  });

  test('with no backend left: calls reject with device/lost, now and later', async () => {
    const session = await Session.create(model, options({ backend: 'webgpu' }));
    webgpu.beforeRun = hang;
    const running = session.run(crop);
    await vi.waitFor(() => expect(webgpu.concurrent).toBe(1));
    webgpu.lose('gone');
    const rejection = { code: 'device/lost', message: 'gone; no backend is left to try' };
    await expect(running).rejects.toMatchObject(rejection);
    await expect(session.run(crop)).rejects.toMatchObject(rejection);
  });

  test('does not fall back to a backend that fails the self-test', async () => {
    const { data } = await referenceHeatmaps(model, goldenImage(model));
    const sha256 = ['0'.repeat(64), heatmapHash(data)];
    const tested = { ...model, manifest: { ...model.manifest, golden: { seed: 1, sha256 } } };
    wasm.afterRun = (heatmaps) => ({ ...heatmaps, data: heatmaps.data.map((v) => ~v) });
    const session = await Session.create(tested, options({ selfTest: true }));
    webgpu.lose('gone');
    await expect(session.run(crop)).rejects.toMatchObject({
      code: 'device/lost',
      message: expect.stringContaining('the wasm backend computes other heatmaps') as string,
    });
    expect(wasm.isClosed).toBe(true);
  });
});

describe('close', () => {
  test('rejects the running call, those that wait, and those to come', async () => {
    const session = await Session.create(model, options());
    webgpu.beforeRun = () => new Promise(() => undefined);
    const calls = [session.run(crop), session.run(crop)];
    await vi.waitFor(() => expect(webgpu.concurrent).toBe(1));
    session.close();
    session.close();
    for (const call of [...calls, session.run(crop), session.readCrop()]) {
      await expect(call).rejects.toMatchObject({ code: 'closed' });
    }
    expect(webgpu.isClosed).toBe(true);
  });

  test('while the next backend is being opened: that one is closed too', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slowWasm: FactoryLoader = async (name, engineOptions) => {
      if (name === 'wasm') await gate;
      return fakeLoader(name, engineOptions);
    };
    const session = await Session.create(model, options({ loadFactory: slowWasm }));
    webgpu.lose('gone');
    const call = session.run(crop);
    await Promise.resolve();
    session.close();
    await expect(call).rejects.toMatchObject({ code: 'closed' });
    open();
    await vi.waitFor(() => expect(wasm.isClosed).toBe(true));
  });
});
