/**
 * A page that uses `bitmarks/tfjs` with its own TensorFlow.js: the same pack as a kernel of the cpu backend, computed by the
 * reference and by the WASM engine. Leaves both heatmaps in window.outcome.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import {
  createReferenceBackend,
  createWasmBackend,
  parsePack,
  registerBitmarks,
  runLandmarkNetwork,
  type Backend,
} from 'bitmarks/tfjs';

async function heatmaps(engine: Backend): Promise<number[]> {
  const response = await fetch('/tiny.bitmarks');
  const model = parsePack(new Uint8Array(await response.arrayBuffer()));
  const network = await registerBitmarks(model, [{ tfjsBackend: 'cpu', engine }]);
  const [height, width, channels] = network.inputShape;
  const bytes = Array.from({ length: height * width * channels }, (_, i) => (i * 89) % 256);
  const image = tf.tensor3d(bytes, [height, width, channels], 'int32');
  const result = runLandmarkNetwork(network, image);
  const values = Array.from(await result.data());
  tf.dispose([image, result]);
  network.close();
  engine.close();
  return values;
}

async function run(): Promise<{ reference: number[]; wasm: number[]; tensors: number }> {
  await tf.setBackend('cpu');
  const wasmUrls = { simd128: '/wasm/simd128.wasm', relaxed: '/wasm/relaxed.wasm' };
  const reference = await heatmaps(await createReferenceBackend());
  const wasm = await heatmaps(await createWasmBackend({ wasmUrls }));
  return { reference, wasm, tensors: tf.memory().numTensors };
}

Object.assign(window, { outcome: run() });
