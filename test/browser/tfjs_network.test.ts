/**
 * The tfjs bridge in Chromium, with tfjs's own WebGPU backend and its WASM binary: the same bits on webgpu, wasm and cpu, and
 * the float form of a graph on stock WASM kernels. Node has the finer tests (test/unit/tfjs_*.test.ts).
 */
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import tfjsWasmUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import { expect, test, vi } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { createFloatGraph } from '../../src/engine/tfjs/float_graph';
import { registerBitmarks, runLandmarkNetwork } from '../../src/engine/tfjs/landmark_network';
import { createWasmBackend } from '../../src/engine/wasm/wasm_backend';
import relaxedUrl from '../../src/engine/wasm/build/relaxed.wasm?url';
import simd128Url from '../../src/engine/wasm/build/simd128.wasm?url';
import { ModelBuilder } from '../helpers/model_builder';
import { Random } from '../helpers/random';

const BACKENDS = ['webgpu', 'wasm', 'cpu'];

/** Concatenation, pool, upsampling, 1-bit and 8-bit weights. */
function smallNetwork() {
  const random = new Random(4);
  const builder = new ModelBuilder(16, 16);
  const sign = (): number => (random.chance(0.5) ? 1 : -1);
  const stem = builder.conv(builder.image, {
    outChannels: 9,
    kernel: 3,
    stride: 2,
    encoding: 'i8',
    weights: () => random.integer(-127, 127),
    shift: 4,
  });
  const up = builder.upsample(builder.maxPool(stem));
  const norm = { multiplier: () => random.integer(9000, 32767), bias: () => 500, shift: 6 };
  const inner = builder.conv(builder.requantize([stem, up], norm), {
    outChannels: 8,
    kernel: 3,
    weights: sign,
    shift: 0,
  });
  return builder.build([
    builder.conv(builder.requantize([inner, stem], { ...norm, shift: 4 }), {
      outChannels: 5,
      weights: sign,
      shift: 0,
    }),
  ]);
}

test('one kernel, three tfjs backends, the same bits', async () => {
  const paths = ['', '-simd', '-threaded-simd'].map(
    (kind) => [`tfjs-backend-wasm${kind}.wasm`, tfjsWasmUrl] as const,
  );
  setWasmPaths(Object.fromEntries(paths));
  for (const name of BACKENDS) expect(await tf.setBackend(name)).toBe(true);

  const model = smallNetwork();
  const wasm = await createWasmBackend({ wasmUrls: { simd128: simd128Url, relaxed: relaxedUrl } });
  const reference = await createReferenceBackend();
  const network = await registerBitmarks(model, [
    { tfjsBackend: 'webgpu' },
    { tfjsBackend: 'wasm', engine: wasm },
    { tfjsBackend: 'cpu', engine: reference },
  ]);
  const data = new Random(8).bytes(16 * 16 * 3);
  const compiled = await reference.compile(model, planGraph(model));
  const expected = [...(await compiled.run({ kind: 'crop', data })).data];
  expect(new Set(expected).size).toBeGreaterThan(20);

  for (const name of BACKENDS) {
    await tf.setBackend(name);
    const before = tf.memory().numTensors;
    const image = tf.tensor3d(Int32Array.from(data), [16, 16, 3], 'int32');
    const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    const heatmaps = runLandmarkNetwork(network, image);
    expect(map).not.toHaveBeenCalled();
    map.mockRestore();
    expect([...(await heatmaps.data())]).toEqual(expected);
    tf.dispose([image, heatmaps]);
    expect(tf.memory().numTensors).toBe(before);
  }

  for (const name of ['webgpu', 'wasm']) {
    await tf.setBackend(name);
    const before = tf.memory().numTensors;
    const graph = createFloatGraph(model);
    const image = tf.tensor3d(Int32Array.from(data), [16, 16, 3], 'int32');
    const heatmaps = graph.run(image);
    const floats = await heatmaps.data();
    // Far below the spread of the values; the derived bound is checked in Node.
    const errors = expected.map((value, index) => value - (floats[index] ?? NaN));
    const spread = Math.max(...expected) - Math.min(...expected);
    expect(Math.hypot(...errors) / Math.sqrt(errors.length)).toBeLessThan(spread / 50);
    tf.dispose([image, heatmaps]);
    graph.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }
  network.close();
  wasm.close();
});
