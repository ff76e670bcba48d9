/**
 * Named pooling cases: smallest sizes, odd results, channel counts around vector widths, pools of pools, and features at
 * both ends of 16 bits. Expected values come from the reference engine.
 */
import { ModelBuilder } from '../helpers/model_builder';
import { Random } from '../helpers/random';
import type { KernelCase } from './conv2d';

function poolCase(height: number, width: number, channels: number, depth: number): KernelCase {
  return {
    name: `${height}x${width}x${channels}, ${depth} deep`,
    build: () => {
      const builder = new ModelBuilder(height, width);
      const random = new Random(height + width + channels);
      let feature = builder.conv(builder.image, {
        kernel: 3,
        outChannels: channels,
        encoding: 'i8',
        // Small enough a shift that many values saturate at both ends.
        shift: 2,
        weights: () => random.integer(-127, 127),
      });
      for (let level = 0; level < depth; level++) feature = builder.maxPool(feature);
      const activation = builder.requantize([feature], { bias: () => 12000, shift: 8 });
      return builder.build([
        builder.conv(activation, {
          outChannels: channels,
          encoding: 'i8',
          weights: identity(channels),
          shift: 0,
        }),
      ]);
    },
    image: (model) => new Random(9).bytes(model.graph.input.shape.reduce((a, b) => a * b)),
  };
}

/** Passes each channel through, so that pooled values stay visible one by one. */
function identity(channels: number): (index: number) => number {
  return (index) => (index % (channels + 1) === 0 ? 100 : 0);
}

export const MAX_POOL2D_CASES: readonly KernelCase[] = [
  ...[1, 2, 3, 4, 7, 8, 9, 16, 17, 33, 64].map((channels) => poolCase(6, 10, channels, 1)),
  poolCase(2, 2, 5, 1),
  poolCase(2, 14, 16, 1),
  poolCase(14, 2, 8, 1),
  poolCase(8, 16, 16, 3),
  poolCase(16, 16, 33, 4),
];
