/**
 * Convolution with weights of -1, 0 and 1 on relaxed SIMD (code: ../assembly/conv2d_pairs.ts).
 *
 *   out[y, x, o] = sat16((sum of w[o, ky, kx, i] * a[y * stride + ky - p, x * stride + kx - p, i] + r) >> t)
 *
 * i16x8.relaxed_dot_i8x16_i7x16 multiplies pairs for eight outputs, and the sums stay 16 bits wide as long as they fit.
 * Additions wrap around and back, so only the sum at the end of a chunk has to fit: with P weights of +1 and N of -1 in the
 * chunk it lies in -N * largest .. P * largest.
 */
import { chunkOctsOf } from './chunks';
import { kernelCall, layOutBlocks, type ConvKernel } from './kernel';

export const CONV2D_PAIRS: ConvKernel = {
  name: 'relaxed_pairs',
  activationBytes: 1,
  // A fused dot product of four does twice the work per instruction: conv2d_quads.ts.
  supports: (encoding, { exports, fusedDot }) =>
    encoding !== 'i8' && exports.variant === 'relaxed' && !fusedDot,
  layOut: (weights) => layOutBlocks(weights, (remaining) => (remaining > 8 ? 16 : 8), 2),
  dispatch: (parameters, weights, largest, spill) => {
    const fits = (positive: number, negative: number): boolean =>
      Math.max(positive, negative) * largest <= 32767;
    const chunkOcts = chunkOctsOf(weights, fits);
    return kernelCall('conv2dPairs', ...parameters, chunkOcts, spill);
  },
};
