/**
 * Convolution with 1-bit weights on plain SIMD128 (code: ../assembly/conv2d_masks.ts).
 *
 *   out[y, x, o] = sat16((2 * sum of a where w[o] is 1 - sum of a + r) >> t), both sums over the window
 *
 * Weights become byte masks. Sums of masked activations are unsigned and 16 bits wide as long as they fit.
 */
import { chunkOctsOf } from './chunks';
import { kernelCall, layOutBlocks, type ConvKernel } from './kernel';

export const CONV2D_MASKS: ConvKernel = {
  name: 'simd128_masks',
  activationBytes: 1,
  supports: (encoding, { exports }) => encoding === 'b1' && exports.variant === 'simd128',
  layOut: (weights) =>
    layOutBlocks(weights, (remaining) => (remaining > 8 ? 16 : 8), 2).map((weight) =>
      weight > 0 ? -1 : 0,
    ),
  dispatch: (parameters, weights, largest, spill) => {
    const runBytes = weights.kernel * weights.inChannels;
    const chunkOcts = chunkOctsOf(weights, (positive) => positive * largest <= 65535);
    return kernelCall('conv2dMasks', ...parameters, runBytes, chunkOcts, spill);
  },
};
