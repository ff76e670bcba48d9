/**
 * The peer: the same graph in float on the stock kernels of tfjs-backend-wasm, SIMD, one thread. Crops with tfjs too.
 */
import { setWasmPaths, version_wasm } from '@tensorflow/tfjs-backend-wasm';
import simdUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url&no-inline';
import threadedUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm?url&no-inline';
import plainUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url&no-inline';
import {
  browser,
  cast,
  dispose,
  env,
  expandDims,
  image,
  setBackend,
  squeeze,
  tensor3d,
  tidy,
  type Tensor3D,
  type Tensor4D,
} from '@tensorflow/tfjs-core';
import type { Heatmaps } from '../../src/engine/backend';
import { createFloatGraph } from '../../src/engine/tfjs/float_graph';
import type { Model } from '../../src/model/types';
import type { Engine, Scene } from './engine';

export async function createFloatEngine(model: Model, scene: Scene): Promise<Engine> {
  const { frame, region, crop } = scene;
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  // It asks for the paths of all three and loads the one that fits the flags.
  setWasmPaths({
    'tfjs-backend-wasm.wasm': new URL(plainUrl, location.href).href,
    'tfjs-backend-wasm-simd.wasm': new URL(simdUrl, location.href).href,
    'tfjs-backend-wasm-threaded-simd.wasm': new URL(threadedUrl, location.href).href,
  });
  if (!(await setBackend('wasm')) || !env().getBool('WASM_HAS_SIMD_SUPPORT')) {
    throw new Error('tfjs-backend-wasm with SIMD could not be started');
  }
  const graph = createFloatGraph(model);
  const [rows, columns, channels] = model.graph.input.shape;
  const cropTensor = tensor3d(crop, [rows, columns, channels], 'int32');
  const box = unitBox(scene);
  const run = (input: () => Tensor3D): Heatmaps => {
    const output = tidy(() => graph.run(input()));
    const [height, width, landmarks] = output.shape;
    const values = output.dataSync();
    dispose(output);
    return { data: Int16Array.from(values, Math.round), height, width, channels: landmarks };
  };
  return {
    name: 'tfjs-wasm',
    description: `float graph on tfjs-backend-wasm ${version_wasm}, SIMD, one thread`,
    kernels: [],
    runCrop: () => run(() => cropTensor),
    runFrame: () =>
      run(() => {
        const pixels = expandDims<Tensor4D>(cast<Tensor3D>(browser.fromPixels(frame), 'float32'));
        const cropped = image.cropAndResize(pixels, [box], [0], [rows, columns], 'bilinear');
        return squeeze<Tensor3D>(cropped, [0]);
      }),
  };

  /** [y1, x1, y2, x2] of the region such that cropAndResize samples where the integer cropper does. */
  function unitBox({ frame: { width, height } }: Scene): [number, number, number, number] {
    const half = (region.sizePixels / 2) * (1 - 1 / columns);
    const [x, y] = [region.xCenter * width - 0.5, region.yCenter * height - 0.5];
    return [
      (y - half) / (height - 1),
      (x - half) / (width - 1),
      (y + half) / (height - 1),
      (x + half) / (width - 1),
    ];
  }
}
