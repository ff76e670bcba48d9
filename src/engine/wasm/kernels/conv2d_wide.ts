/**
 * Convolution on plain SIMD128, all encodings, exact 32-bit sums (code: ../assembly/conv2d_wide.ts).
 *
 *   out[y, x, o] = sat16((sum of w[o, ky, kx, i] * a[y * stride + ky - p, x * stride + kx - p, i] + r) >> t)
 *
 * Weights and activations are widened to 16 bits, so i32x4.dot_i16x8 multiplies pairs.
 */
import { kernelCall, layOutBlocks, type ConvKernel } from './kernel';

export const CONV2D_WIDE: ConvKernel = {
  name: 'simd128_wide',
  activationBytes: 2,
  supports: (_, { exports }) => exports.variant === 'simd128',
  layOut: (weights) => Int16Array.from(layOutBlocks(weights, () => 8, 2)),
  dispatch: (parameters) => kernelCall('conv2dWide', ...parameters),
};
