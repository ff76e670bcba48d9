/**
 * Row: the same graph in float on the stock kernels of TensorFlow.js, WASM or WebGPU. Crops through a canvas.
 */
import { browser, dispose, tensor3d, tidy, type Tensor3D } from '@tensorflow/tfjs-core';
import { createFloatGraph } from '../../../src/engine/tfjs/float_graph';
import type { Heatmap, MakeRunner } from '../contestant';
import { CanvasCropper, loadScenes } from '../scene';
import { startTfjsWasm, startTfjsWebgpu } from '../tfjs_setup';

export const makeRunner: MakeRunner = async ({ task, choice }, photos) => {
  const description = await (choice === 'wasm' ? startTfjsWasm() : startTfjsWebgpu());
  const { model, scenes, crop, multiplyAdds, decode } = await loadScenes(task, photos);
  const cropper = new CanvasCropper(model);
  const graph = createFloatGraph(model);
  const cropTensor = tensor3d(crop, [...model.graph.input.shape], 'int32');
  const run = async (input: () => Tensor3D): Promise<Heatmap> => {
    const output = tidy(() => graph.run(input()));
    // On WebGPU results cannot be read at once.
    const values = choice === 'wasm' ? output.dataSync() : await output.data();
    dispose(output);
    return values;
  };
  return {
    ...{ description, multiplyAdds },
    network: () => run(() => cropTensor),
    frame: async (photo) => {
      const scene = scenes[photo];
      if (scene === undefined) throw new Error(`no photo ${photo}`);
      const image = cropper.crop(scene);
      decode(await run(() => browser.fromPixels(image)));
      return null;
    },
  };
};
