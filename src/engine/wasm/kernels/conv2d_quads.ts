/**
 * Convolution with 8-bit weights on relaxed SIMD, exact 32-bit sums (code: ../assembly/conv2d_quads.ts).
 *
 *   out[y, x, o] = sat16((sum of w[o, ky, kx, i] * a[y * stride + ky - p, x * stride + kx - p, i] + r) >> t)
 *
 * i32x4.relaxed_dot_i8x16_i7x16_add multiplies four bytes at a time. Activations never exceed 127 (models/README.md), which
 * makes the operation exact on every engine.
 */
import { BitmarksError } from '../../../errors';
import { isRelaxed, layOutBlocks, type ConvKernel } from './kernel';

export const CONV2D_QUADS: ConvKernel = {
  name: 'relaxed',
  activationBytes: 1,
  supports: (encoding, functions) => encoding === 'i8' && isRelaxed(functions),
  layOut: (weights) => layOutBlocks(weights, () => 8, 4),
  dispatch: (functions, parameters) => {
    if (!isRelaxed(functions)) throw new BitmarksError('backend/failed', 'no relaxed kernels here');
    return () => functions.conv2dQuads(...parameters);
  },
};
