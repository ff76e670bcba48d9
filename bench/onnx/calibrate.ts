/**
 * Ranges of features for the int8 export: runs the float32 export in Node on crops of photos and keeps the largest magnitude
 * of each convolution's output.
 */
import { env, InferenceSession, Tensor } from 'onnxruntime-web';
import type { Model } from '../../src/model/types';
import { convolutionNames, exportFloat32, ONNX_INPUT, type Ranges } from './export_onnx';

/** `crops`: RGB bytes, HWC, of the graph's input shape. */
export async function calibrate(model: Model, crops: readonly Uint8Array[]): Promise<Ranges> {
  env.wasm.numThreads = 1;
  const names = convolutionNames(model);
  const session = await InferenceSession.create(exportFloat32(model, names));
  const ranges = new Map(names.map((name) => [name, 0]));
  for (const crop of crops) {
    const outputs = await session.run({ [ONNX_INPUT]: imageTensor(crop, model) });
    for (const name of names) {
      const data = outputs[name]?.data as Float32Array;
      ranges.set(
        name,
        data.reduce((most, value) => Math.max(most, Math.abs(value)), ranges.get(name) ?? 0),
      );
    }
  }
  await session.release();
  return ranges;
}

/** RGB bytes, HWC, as float32 [1, 3, h, w]. */
export function imageTensor(crop: Uint8Array, { graph }: Model): Tensor {
  const [height, width, channels] = graph.input.shape;
  const area = height * width;
  const data = Float32Array.from(
    { length: area * channels },
    (_, index) => crop[(index % area) * channels + Math.floor(index / area)] ?? 0,
  );
  return new Tensor('float32', data, [1, channels, height, width]);
}
