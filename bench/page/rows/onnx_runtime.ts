/**
 * Row: the same graph as ONNX on onnxruntime-web, float32 or int8, WASM on one thread or WebGPU. Crops through a canvas.
 */
import type * as Ort from 'onnxruntime-web';
import { planGraph } from '../../../src/engine/planner';
import { importPackage, PACKAGES, type MakeRunner } from '../contestant';
import { CanvasCropper, loadScenes } from '../scene';

export const makeRunner: MakeRunner = async ({ task, choice }, photos) => {
  const [form = '', provider = ''] = choice.split(' ');
  const file = provider === 'wasm' ? 'ort.wasm.min.mjs' : 'ort.webgpu.min.mjs';
  const ort = (await importPackage(`onnxruntime-web/dist/${file}`)) as typeof Ort;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = `${location.origin}${PACKAGES}/onnxruntime-web/dist/`;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(`/onnx/${task}.${form}.onnx`, {
    executionProviders: [provider],
  });
  const { model, scenes, crop, multiplyAdds, decode } = await loadScenes(task, photos);
  const cropper = new CanvasCropper(model);
  const [height, width] = model.graph.input.shape;
  const area = height * width;
  const [inputName = ''] = session.inputNames;
  const [, , landmarks = 0] = model.graph.shapes.get(planGraph(model).output) ?? [];
  const tensorOf = (pixels: Uint8Array | Uint8ClampedArray, step: number): Ort.Tensor => {
    const planes = new Float32Array(3 * area);
    for (let channel = 0; channel < 3; channel += 1)
      for (let i = 0; i < area; i += 1)
        planes[channel * area + i] = pixels[i * step + channel] ?? 0;
    return new ort.Tensor('float32', planes, [1, 3, height, width]);
  };
  const run = async (input: Ort.Tensor): Promise<Float32Array> => {
    const [output] = Object.values(await session.run({ [inputName]: input }));
    return (await output?.getData()) as Float32Array;
  };
  const toHwc = (planes: Float32Array): Float32Array => {
    const cells = planes.length / landmarks;
    const values = new Float32Array(planes.length);
    for (let channel = 0; channel < landmarks; channel += 1)
      for (let cell = 0; cell < cells; cell += 1)
        values[cell * landmarks + channel] = planes[channel * cells + cell] ?? 0;
    return values;
  };
  const cropTensor = tensorOf(crop, 3);
  return {
    description: `onnxruntime-web ${ort.env.versions.web ?? ''}, ${choice}`,
    multiplyAdds,
    network: async () => toHwc(await run(cropTensor)),
    frame: async (photo) => {
      const scene = scenes[photo];
      if (scene === undefined) throw new Error(`no photo ${photo}`);
      decode(toHwc(await run(tensorOf(cropper.crop(scene).data, 4))));
      return null;
    },
  };
};
