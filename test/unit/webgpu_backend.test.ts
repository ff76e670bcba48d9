/**
 * Life of the WebGPU backend (Dawn in Node): why it is refused, what a frame costs, what is freed, and how every call
 * settles when the device or the engine goes away.
 */
import { engine as tfjsEngine, findBackend } from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { createWebgpuBackend, WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import type { Model } from '../../src/model/types';
import { frameBytes } from '../cases/crop';
import { installDawn, removeDawn } from '../helpers/dawn';
import { ModelBuilder } from '../helpers/model_builder';
import { randomImage, randomModel } from '../helpers/random_model';
import { openVariant } from '../helpers/webgpu_suite';

const OPTIONS = { wasmUrls: { simd128: '', relaxed: '' } };

/** Parts, an upsampled part, a pool, two refinement passes that share weights. */
function smallModel(): Model {
  const builder = new ModelBuilder(16, 16);
  const weights = (index: number): number => (index % 3 === 0 ? -1 : 1);
  const stem = builder.conv(builder.image, {
    outChannels: 6,
    stride: 2,
    kernel: 3,
    encoding: 'i8',
  });
  const up = builder.upsample(builder.maxPool(stem));
  const first = builder.conv(builder.requantize([stem, up], { shift: 2 }), {
    outChannels: 5,
    weights,
  });
  const second = builder.conv(builder.requantize([first, up, stem], { shift: 2 }), {
    outChannels: 5,
    weights,
  });
  return builder.build([first, second]);
}

describe('refusals', () => {
  afterEach(removeDawn);

  test('no navigator.gpu', async () => {
    stubNavigator(undefined);
    await expect(createWebgpuBackend(OPTIONS)).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('no WebGPU') as string,
    });
  });

  test('an insecure page', async () => {
    stubNavigator(undefined);
    vi.stubGlobal('isSecureContext', false);
    await expect(createWebgpuBackend(OPTIONS)).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringMatching(/https or from localhost/) as string,
    });
    vi.unstubAllGlobals();
  });

  test('no adapter', async () => {
    stubNavigator({ requestAdapter: () => Promise.resolve(null) });
    await expect(createWebgpuBackend(OPTIONS)).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('no GPU adapter') as string,
    });
  });

  test('a failing adapter request', async () => {
    stubNavigator({ requestAdapter: () => Promise.reject(new TypeError('broken driver')) });
    await expect(createWebgpuBackend(OPTIONS)).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('broken driver') as string,
    });
  });

  test('a refused device', async () => {
    const adapter = {
      limits: {},
      features: new Set(),
      requestDevice: () => Promise.reject(new Error('out of devices')),
    };
    stubNavigator({ requestAdapter: () => Promise.resolve(adapter) });
    await expect(createWebgpuBackend(OPTIONS)).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('out of devices') as string,
    });
  });
});

describe('life', () => {
  let engine: WebgpuEngine;

  // Compiling shaders takes seconds on SwiftShader: tests share an engine unless they end it.
  beforeAll(async () => {
    await installDawn();
    engine = await openVariant('dot4');
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  afterAll(() => {
    engine.close();
    removeDawn();
  });

  test('its device belongs to a registered tfjs backend until it closes', async () => {
    const engine = await openVariant('dot4');
    const { host } = engine;
    expect(host?.backend.device).toBe(engine.gpuDevice);
    expect(findBackend(host?.name ?? '')).toBe(host?.backend);
    expect(tfjsEngine().registryFactory[host?.name ?? '']?.priority).toBeLessThan(0);
    engine.close();
    expect(findBackend(host?.name ?? '')).toBeNull();
  });

  test('says which kernels that were asked for the device cannot run, and runs others', async () => {
    const { gpuDevice } = engine;
    const info = { vendor: 'a', architecture: 'gpu' } as GPUAdapterInfo;
    const traits = { hasPackedDot: true, subgroupSize: 0, workgroupSize: 64, isSoftware: true };
    const kernels = ['subgroup', 'storage'] as const;
    const without = new WebgpuEngine({ device: gpuDevice, info, traits }, null, { kernels });
    expect(without.device).toBe('a gpu (subgroup: this GPU offers no subgroups to shaders)');
    const model = smallModel();
    const compiled = await without.compile(model, planGraph(model));
    expect(compiled.kernels).toContain('conv2d_b1_storage_4x4');
    const expected = await (await createReferenceBackend()).compile(model, planGraph(model));
    expect(await compiled.run(frameInput())).toEqual(await expected.run(frameInput()));
    without.close();
  });

  test('a frame is one submission and one read-back, whatever the graph', async () => {
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    const submit = vi.spyOn(engine.gpuDevice.queue, 'submit');
    const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    const before = { ...engine.counters };
    for (let frame = 1; frame <= 3; frame++) {
      await compiled.run(frameInput());
      expect([submit.mock.calls.length, map.mock.calls.length]).toEqual([frame, frame]);
      expect(submit.mock.calls.at(-1)?.[0]).toHaveLength(1);
      expect(engine.counters).toEqual({
        submissions: before.submissions + frame,
        readBacks: before.readBacks + frame,
        uploads: before.uploads + frame,
      });
    }
  });

  test('after the first frame nothing is allocated', async () => {
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    await compiled.run(frameInput());
    const before = engine.memory;
    const bind = vi.spyOn(engine.gpuDevice, 'createBindGroup');
    for (let frame = 0; frame < 4; frame++) await compiled.run(frameInput());
    expect(engine.memory).toEqual(before);
    expect(bind).not.toHaveBeenCalled();
  });

  test('compiling and closing ten times returns to the start', async () => {
    const model = smallModel();
    const start = engine.memory;
    for (let round = 0; round < 10; round++) {
      const compiled = await engine.compile(model, planGraph(model));
      await compiled.run(frameInput());
      await compiled.readCrop();
      expect(engine.memory.bytes).toBeGreaterThan(
        compiled.bytes.weights + compiled.bytes.activations,
      );
      compiled.close();
      compiled.close();
      expect(engine.memory).toEqual(start);
    }
  });

  test('the packed weights are gone when compile returns', async () => {
    const made = vi.spyOn(engine.gpuDevice, 'createTexture');
    const destroy = vi.spyOn(GPUTexture.prototype, 'destroy');
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    expect(made.mock.calls.map(([{ label, format }]) => [label, format])).toEqual([
      ['packed weights', 'r32uint'],
      ['weights', 'rgba32uint'],
    ]);
    expect(destroy.mock.contexts).toEqual([made.mock.results[0]?.value]);
    compiled.close();
  });

  test('several models and outputs run in turns and at once', async () => {
    const reference = await createReferenceBackend();
    const first = smallModel();
    const second = randomModel(11);
    const plans = [
      ...first.graph.outputs.map((output) => [first, planGraph(first, output)] as const),
      [second, planGraph(second)] as const,
    ];
    await Promise.all(
      plans.map(async ([model, plan], index) => {
        const input = { kind: 'crop', data: randomImage(model, index) } as const;
        const compiled = await engine.compile(model, plan);
        const expected = await (await reference.compile(model, plan)).run(input);
        expect(await Promise.all([compiled.run(input), compiled.run(input)])).toEqual([
          expected,
          expected,
        ]);
      }),
    );
  });

  test('heatmaps belong to the caller', async () => {
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    const first = await compiled.run(frameInput(1));
    const kept = first.data.slice();
    await compiled.run(frameInput(2));
    expect(first.data).toEqual(kept);
  });

  test('reading a crop before a frame is refused', async () => {
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    await expect(compiled.readCrop()).rejects.toMatchObject({ code: 'backend/failed' });
  });

  test('a model without the weights of its plan is refused', async () => {
    const model = smallModel();
    const start = engine.memory;
    const broken = { ...model, weights: new Map() };
    await expect(engine.compile(broken, planGraph(model))).rejects.toMatchObject({
      code: 'backend/failed',
    });
    expect(engine.memory).toEqual(start);
    const compiled = await engine.compile(model, planGraph(model));
    expect((await compiled.run(frameInput())).channels).toBe(5);
  });

  test('an error that the GPU reports fails the next run, once', async () => {
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    const encoder = engine.gpuDevice.createCommandEncoder();
    encoder.copyBufferToBuffer(compiled.features, 1, compiled.features, 3, 4);
    encoder.finish();
    await expect(compiled.run(frameInput())).rejects.toMatchObject({
      code: 'backend/failed',
      message: expect.stringContaining('the GPU reported an error') as string,
    });
    await expect(compiled.run(frameInput())).resolves.toBeDefined();
  });

  test('losing the device settles the run in flight and all later calls', async () => {
    const engine = await openVariant('dot4');
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    const running = compiled.run(frameInput());
    engine.gpuDevice.destroy();
    await expect(running).rejects.toMatchObject({ code: 'device/lost' });
    expect(await engine.lost).toContain('destroyed');
    await expect(compiled.run(frameInput())).rejects.toMatchObject({ code: 'device/lost' });
    await expect(compiled.readCrop()).rejects.toMatchObject({ code: 'device/lost' });
    await expect(engine.compile(model, planGraph(model))).rejects.toMatchObject({
      code: 'device/lost',
    });
  });

  test('close settles the run in flight, ends later calls and is no loss', async () => {
    const engine = await openVariant('dot4');
    const model = smallModel();
    const compiled = await engine.compile(model, planGraph(model));
    const lost = vi.fn();
    void engine.lost.then(lost);
    const running = compiled.run(frameInput());
    engine.close();
    engine.close();
    await expect(running).rejects.toMatchObject({ code: 'closed' });
    await expect(compiled.run(frameInput())).rejects.toMatchObject({ code: 'closed' });
    await expect(engine.compile(model, planGraph(model))).rejects.toMatchObject({ code: 'closed' });
    await engine.gpuDevice.lost;
    expect(lost).not.toHaveBeenCalled();
    expect(engine.memory).toEqual({ bytes: 0, objects: 0 });
  });

  test('closing a model settles its run in flight and leaves the others', async () => {
    const model = smallModel();
    const [closing, staying] = await Promise.all([
      engine.compile(model, planGraph(model)),
      engine.compile(model, planGraph(model)),
    ]);
    const running = closing.run(frameInput());
    closing.close();
    await expect(running).rejects.toMatchObject({ code: 'closed' });
    await expect(staying.run(frameInput())).resolves.toBeDefined();
  });
});

function frameInput(seed = 1) {
  const [width, height] = [20 + seed, 18];
  return {
    kind: 'frame',
    data: frameBytes({ width, height }),
    width,
    height,
    affine: [0, 0, 65536, 0, 0, 65536],
    taps: 1,
  } as const;
}

function stubNavigator(gpu: unknown): void {
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
}
