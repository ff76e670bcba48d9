/**
 * Convolution with 1-bit weights by look-up (code: ../assembly/conv2d_lut.ts).
 *
 *   out[y, x, o] = sat16((2 * sum of a where w[o] is 1 - sum of a + r) >> t), both sums over the window
 *
 * The signs of four weights are an index into the 16 sums that four activations of a pixel have. Tables are made for each
 * pixel and tile, so it is worth it where many outputs read them.
 */
import { kernelCall, runOctsOf, type ConvKernel, type ConvWeights } from './kernel';

const BLOCK_OUTPUTS = 16;
const INDEX_WEIGHTS = 4;

export const CONV2D_LUT: ConvKernel = {
  name: 'simd128_lut',
  activationBytes: 1,
  supports: (encoding, { exports }) => encoding === 'b1' && exports.variant === 'simd128',
  layOut: (weights) => layOutIndices(weights),
  dispatch: (parameters, weights, _, spill) => {
    const runBytes = weights.kernel * weights.inChannels;
    return kernelCall('conv2dLut', ...parameters, runBytes, spill);
  },
};

/** Blocks of 16 outputs in the next tile where so many are left; the kernel goes by the same rule. */
function tileBlocks(blocks: number): number {
  if (blocks < 4) return 1;
  return blocks % 4 === 0 ? 4 : Math.min(blocks, 5);
}

/** Indices in tiles of outputs: in a tile, per kernel row and per four activations, one for each output. */
function layOutIndices(weights: ConvWeights): Int8Array {
  const { values, outChannels, kernel, inChannels } = weights;
  const run = kernel * inChannels;
  const paddedRun = runOctsOf(weights) * 8;
  const blocks = Math.ceil(outChannels / BLOCK_OUTPUTS);
  const indices = new Int8Array((blocks * BLOCK_OUTPUTS * kernel * paddedRun) / INDEX_WEIGHTS);
  let at = 0;
  for (let block = 0; block < blocks;) {
    const end = block + tileBlocks(blocks - block);
    for (let row = 0; row < kernel; row++) {
      for (let k = 0; k < paddedRun; k += INDEX_WEIGHTS) {
        for (let output = block * BLOCK_OUTPUTS; output < end * BLOCK_OUTPUTS; output++) {
          for (let bit = 0; bit < INDEX_WEIGHTS; bit++) {
            const inside = output < outChannels && k + bit < run;
            const weight = inside ? (values[(output * kernel + row) * run + k + bit] ?? 0) : 0;
            if (weight > 0) indices[at] = (indices[at] ?? 0) | (1 << bit);
          }
          at += 1;
        }
      }
    }
    block = end;
  }
  return indices;
}
