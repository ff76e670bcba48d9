/**
 * Convolution on relaxed SIMD with exact 32-bit sums, for 8-bit and smaller weights (code: ../assembly/conv2d_quads.ts).
 *
 *   out[y, x, o] = sat16((sum of w[o, ky, kx, i] * a[y * stride + ky - p, x * stride + kx - p, i] + r) >> t)
 *
 * Four bytes are multiplied and added at a time. ARM and x86 with VNNI have one instruction for that, the best kernel there
 * is for every encoding. Other x86 gets the same in three instructions by asking for each; engines make five of the fused
 * form. Activations never exceed 127 (models/README.md), which makes the operations exact on every engine.
 */
import { kernelCall, layOutBlocks, type ConvKernel, type ConvWeights } from './kernel';

const layOut = (weights: ConvWeights): Int8Array => layOutBlocks(weights, () => 8, 4);

export const CONV2D_QUADS: ConvKernel = {
  name: 'relaxed_quads',
  activationBytes: 1,
  supports: (_, { exports, fusedDot }) => exports.variant === 'relaxed' && fusedDot,
  layOut,
  dispatch: (parameters) => kernelCall('conv2dQuads', ...parameters),
};

export const CONV2D_SPLIT_QUADS: ConvKernel = {
  name: 'relaxed_split_quads',
  activationBytes: 1,
  supports: (encoding, { exports, fusedDot }) =>
    encoding === 'i8' && exports.variant === 'relaxed' && !fusedDot,
  layOut,
  dispatch: (parameters) => kernelCall('conv2dSplitQuads', ...parameters),
};
