/**
 * Convolution with weights of -1, 0 and 1 on relaxed SIMD (code: ../assembly/conv2d_pairs.ts).
 *
 *   out[y, x, o] = sat16((sum of w[o, ky, kx, i] * a[y * stride + ky - p, x * stride + kx - p, i] + r) >> t)
 *
 * i16x8.relaxed_dot_i8x16_i7x16 multiplies pairs for eight outputs, and the sums stay 16 bits wide as long as they fit.
 * Additions wrap around and back, so only the sum at the end of a chunk has to fit: with P weights of +1 and N of -1 in the
 * chunk it lies in -N * largest .. P * largest.
 */
import { BitmarksError } from '../../../errors';
import {
  FIXED_ADDRESSES,
  isRelaxed,
  layOutBlocks,
  runOctsOf,
  type ConvKernel,
  type ConvWeights,
} from './kernel';

const INT16_MAX = 32767;
/** One chunk only: more groups than any convolution has. */
const UNCHUNKED = 2 ** 30;

export const CONV2D_PAIRS: ConvKernel = {
  name: 'relaxed',
  activationBytes: 1,
  supports: (encoding, functions) => encoding !== 'i8' && isRelaxed(functions),
  layOut: (weights) => layOutBlocks(weights, (remaining) => (remaining > 8 ? 16 : 8), 2),
  dispatch: (functions, parameters, weights, largest) => {
    if (!isRelaxed(functions)) throw new BitmarksError('backend/failed', 'no relaxed kernels here');
    const octs = weights.kernel * runOctsOf(weights);
    const chunk = chunkOctsOf(weights, largest);
    const chunkOcts = chunk >= octs ? UNCHUNKED : chunk;
    return () => functions.conv2dPairs(...parameters, chunkOcts, FIXED_ADDRESSES.spill);
  },
};

/**
 * Most groups of eight activations between two spills such that no 16-bit sum leaves its range, for these weights and
 * activations of 0..largest. Chunks run across kernel rows.
 */
export function chunkOctsOf(weights: ConvWeights, largest: number): number {
  const octs = weights.kernel * runOctsOf(weights);
  for (let chunks = 1; ; chunks++) {
    const chunkOcts = Math.ceil(octs / chunks);
    // A group of eight reaches 8 * 127 at most, so chunkOcts = 1 always fits.
    if (chunkOcts <= 1 || largestChunkCount(weights, chunkOcts) * largest <= INT16_MAX) {
      return chunkOcts;
    }
  }
}

/** Most weights of one sign that one output has in one chunk. */
function largestChunkCount(weights: ConvWeights, chunkOcts: number): number {
  const { values, outChannels, kernel, inChannels } = weights;
  const run = kernel * inChannels;
  const runOcts = runOctsOf(weights);
  let most = 0;
  for (let output = 0; output < outChannels; output++) {
    let positive = 0;
    let negative = 0;
    let chunk = 0;
    for (let k = 0; k < kernel * run; k++) {
      const oct = Math.floor(k / run) * runOcts + ((k % run) >> 3);
      if (Math.floor(oct / chunkOcts) !== chunk) {
        chunk = Math.floor(oct / chunkOcts);
        positive = 0;
        negative = 0;
      }
      const weight = values[output * kernel * run + k] ?? 0;
      if (weight > 0) positive++;
      if (weight < 0) negative++;
      most = Math.max(most, positive, negative);
    }
  }
  return most;
}
