/**
 * The tfjs bridge in Node: a registered network gives the same bits on the tfjs backends webgpu (Dawn), wasm and cpu, leaks
 * no tensors, and on WebGPU reads nothing back.
 */
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import {
  registerBitmarks,
  runLandmarkNetwork,
  type LandmarkNetwork,
} from '../../src/engine/tfjs/landmark_network';
import type { TfjsHost } from '../../src/engine/tfjs/webgpu_host';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import type { WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { installDawn, removeDawn } from '../helpers/dawn';
import { randomImage, randomModel } from '../helpers/random_model';
import { openVariant } from '../helpers/webgpu_suite';

/** Name of the tfjs backend on our device; see hostDevice. */
let host: TfjsHost;
let engine: WebgpuEngine;
let network: LandmarkNetwork;
let wasm: Awaited<ReturnType<typeof createWasmBackendWith>>;

const model = randomModel(3);
const [height, width] = model.graph.input.shape;

/** Shaders compile in seconds on SwiftShader. */
const SETUP_TIMEOUT_MS = 120_000;

beforeAll(async () => {
  await installDawn();
  engine = await openVariant('dot4');
  if (engine.host === null) throw new Error('the engine has no tfjs host');
  host = engine.host;
  wasm = await createWasmBackendWith(loadModuleFile, {
    wasmUrls: WASM_FILE_URLS,
    wasmVariant: 'simd128',
  });
  for (const name of ['wasm', 'cpu']) await tf.setBackend(name);
  network = await registerBitmarks(model, [
    { tfjsBackend: host.name },
    { tfjsBackend: 'wasm', engine: wasm },
    { tfjsBackend: 'cpu', engine: await createReferenceBackend() },
  ]);
}, SETUP_TIMEOUT_MS);

afterAll(() => {
  network.close();
  wasm.close();
  engine.close();
  removeDawn();
});

async function expectedHeatmaps(seed: number): Promise<number[]> {
  const reference = await createReferenceBackend();
  const compiled = await reference.compile(model, planGraph(model));
  return [...(await compiled.run({ kind: 'crop', data: randomImage(model, seed) })).data];
}

function imageTensor(seed: number): tf.Tensor3D {
  return tf.tensor3d(Int32Array.from(randomImage(model, seed)), [height, width, 3], 'int32');
}

test('names its kernels on every backend', () => {
  expect([...network.kernels.keys()]).toEqual([host.name, 'wasm', 'cpu']);
  expect(network.kernels.get(host.name)).toEqual(
    planGraph(model).steps.map((step) =>
      step.kind === 'conv2d' ? `conv2d_${step.node.encoding}_dot4_4x4` : step.kind,
    ),
  );
  for (const name of network.kernels.keys()) {
    expect(tf.getKernel(network.kernelName, name)).toBeDefined();
  }
});

describe.each(['webgpu', 'wasm', 'cpu'])('on %s', (kind) => {
  const backendName = (): string => (kind === 'webgpu' ? host.name : kind);

  test('gives the bits of the reference and leaks no tensor', async () => {
    await tf.setBackend(backendName());
    const before = tf.memory().numTensors;
    for (const seed of [1, 2, 15]) {
      const image = imageTensor(seed);
      const heatmaps = runLandmarkNetwork(network, image);
      expect(heatmaps.dtype).toBe('int32');
      expect(heatmaps.shape).toEqual(network.outputShape);
      expect([...(await heatmaps.data())]).toEqual(await expectedHeatmaps(seed));
      expect(tf.memory().numTensors).toBe(before + 2);
      tf.dispose([image, heatmaps]);
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  test('clamps values that are no bytes', async () => {
    await tf.setBackend(backendName());
    const bytes = randomImage(model, 2);
    const clamped = Int32Array.from(bytes, (byte, index) => (index % 5 === 0 ? -7 : byte));
    const reference = clamped.map((value) => Math.max(0, value));
    const results = await Promise.all(
      [clamped, reference].map(async (values) => {
        const image = tf.tensor3d(values, [height, width, 3], 'int32');
        const heatmaps = runLandmarkNetwork(network, image);
        const data = [...(await heatmaps.data())];
        tf.dispose([image, heatmaps]);
        return data;
      }),
    );
    expect(results[0]).toEqual(results[1]);
  });

  test('refuses other shapes and types', async () => {
    await tf.setBackend(backendName());
    const wrong = [
      tf.tensor3d(new Int32Array(12), [2, 2, 3], 'int32'),
      tf.tensor3d(new Float32Array(height * width * 3), [height, width, 3]),
    ];
    for (const image of wrong) {
      expect(() => runLandmarkNetwork(network, image)).toThrow(/expected int32/);
    }
    tf.dispose(wrong);
  });
});

test('webgpu: the input is read where tfjs computed it, and nothing is read back', async () => {
  await tf.setBackend(host.name);
  const { backend } = host;
  const expected = await expectedHeatmaps(1);
  const bytes = Int32Array.from(randomImage(model, 1));
  const buffer = engine.gpuDevice.createBuffer({
    size: bytes.byteLength,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  engine.gpuDevice.queue.writeBuffer(buffer, 0, bytes);
  const image = tf.tensor<tf.Rank.R3>({ buffer, zeroCopy: true }, [height, width, 3], 'int32');
  expect(backend.tensorMap.get(image.dataId).resource).toBe(buffer);

  const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
  const copy = vi.spyOn(GPUCommandEncoder.prototype, 'copyBufferToBuffer');
  const readBacks = engine.counters.readBacks;
  const heatmaps = runLandmarkNetwork(network, image);
  expect(map).not.toHaveBeenCalled();
  expect(copy).not.toHaveBeenCalled();
  expect(engine.counters.readBacks).toBe(readBacks);
  expect(backend.tensorMap.get(heatmaps.dataId).resource).toBeInstanceOf(GPUBuffer);
  expect(backend.tensorMap.get(heatmaps.dataId).values).toBeUndefined();
  vi.restoreAllMocks();

  expect([...(await heatmaps.data())]).toEqual(expected);
  tf.dispose([image, heatmaps]);
  buffer.destroy();
});

test('webgpu: work that tfjs has not submitted yet is seen', async () => {
  await tf.setBackend('cpu');
  await import('@tensorflow/tfjs-backend-webgpu');
  await tf.setBackend('webgpu');
  const stock = await registerBitmarks(model, [{ tfjsBackend: 'webgpu' }]);
  // 254 - image + image - ..., in one batch that tfjs keeps back: the network must run after it.
  const image = imageTensor(2);
  const sum = tf.tidy(() =>
    tf.sub(tf.scalar(255, 'int32'), tf.sub(tf.scalar(255, 'int32'), image)),
  );
  const heatmaps = runLandmarkNetwork(stock, sum as tf.Tensor3D);
  const doubled = tf.tidy(() => tf.add(heatmaps, heatmaps));
  const expected = await expectedHeatmaps(2);
  expect([...(await doubled.data())]).toEqual(expected.map((value) => 2 * value));
  expect(doubled.dtype).toBe('int32');
  tf.dispose([image, sum, heatmaps, doubled]);
  stock.close();
  expect(tf.getKernel(stock.kernelName, 'webgpu')).toBeUndefined();
  tf.removeBackend('webgpu');
});

describe('refusals', () => {
  test('a backend that was never initialised', async () => {
    await expect(registerBitmarks(model, [{ tfjsBackend: 'nowhere' }])).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining("tf.setBackend('nowhere')") as string,
    });
  });

  test('a backend without a device and without an engine, and nothing stays registered', async () => {
    const before = tf.getKernelsForBackend('cpu').length;
    const engineTarget = { tfjsBackend: 'cpu', engine: await createReferenceBackend() };
    await expect(
      registerBitmarks(model, [engineTarget, { tfjsBackend: 'wasm' }]),
    ).rejects.toMatchObject({ code: 'backend/unavailable' });
    expect(tf.getKernelsForBackend('cpu')).toHaveLength(before);
  });

  test('an engine that cannot compute at once', async () => {
    await expect(registerBitmarks(model, [{ tfjsBackend: 'cpu', engine }])).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('on the calling thread') as string,
    });
  });

  test('running on a backend that is no target', async () => {
    const reference = await createReferenceBackend();
    const onlyCpu = await registerBitmarks(model, [{ tfjsBackend: 'cpu', engine: reference }]);
    await tf.setBackend('wasm');
    const image = imageTensor(1);
    expect(() => runLandmarkNetwork(onlyCpu, image)).toThrow(/only for cpu/);
    image.dispose();
    onlyCpu.close();
    onlyCpu.close();
  });
});
