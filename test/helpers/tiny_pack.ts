/**
 * A network of a few hundred weights in a pack, for tests of everything around the network: it answers in milliseconds on
 * any backend, and what it finds means nothing.
 */
import type { FaceLandmarkerOptions } from '../../src/api/options';
import { ModelBuilder } from './model_builder';
import { writePack } from './pack_writer';

/** Options that make it report its first guess as a face. Its golden vector is not computed. */
export const TINY_OPTIONS: FaceLandmarkerOptions = {
  selfTest: false,
  // A finder would look for real faces.
  finder: null,
  minFaceDetectionConfidence: 0,
  minFacePresenceConfidence: 0,
};

/** 32 x 32 pixels to five heatmaps of 8 x 8 cells, with i8 and 1-bit weights. */
export function tinyPack(): Uint8Array {
  const builder = new ModelBuilder(32, 32);
  const weights = (index: number): number => ((index * 37) % 255) - 127;
  const stem = builder.conv(builder.image, {
    ...{ kernel: 3, stride: 2, outChannels: 8, encoding: 'i8' },
    weights,
  });
  const input = builder.requantize([builder.maxPool(stem)], { shift: 3 });
  const heads = builder.conv(input, {
    ...{ kernel: 3, outChannels: 5 },
    weights: (index) => (weights(index) < 0 ? -1 : 1),
  });
  return writePack(builder.build([heads]));
}
