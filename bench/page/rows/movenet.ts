/**
 * Row: MoveNet SinglePose Lightning on tfjs-wasm, with the weights that @vladmandic/human ships. The whole photo, scaled.
 */
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import {
  browser,
  cast,
  dispose,
  expandDims,
  image,
  tidy,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { PACKAGES, type MakeRunner } from '../contestant';
import { startTfjsWasm } from '../tfjs_setup';

const SIDE = 192;
const PRESENT = 0.3;

export const makeRunner: MakeRunner = async (_, photos) => {
  const description = await startTfjsWasm();
  const model = await loadGraphModel(`${PACKAGES}/@vladmandic/human/models/movenet-lightning.json`);
  const read = (photo: number): Tensor =>
    tidy(() => {
      const pixels = browser.fromPixels(photos[photo] ?? new ImageData(1, 1));
      return cast(expandDims(image.resizeBilinear(pixels, [SIDE, SIDE])), 'int32');
    });
  /** [1, 1, 17, 3]: y, x, score. */
  const run = (input: Tensor): ArrayLike<number> => {
    const output = model.execute(input) as Tensor;
    const values = output.dataSync();
    dispose(output);
    return values;
  };
  const first = read(0);
  return {
    description,
    network: () => run(first),
    frame: (photo) => {
      const input = read(photo);
      const joints = run(input);
      dispose(input);
      const scores = Array.from({ length: 17 }, (__, joint) => joints[3 * joint + 2] ?? 0);
      const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
      return Promise.resolve(mean >= PRESENT ? 1 : 0);
    },
  };
};
