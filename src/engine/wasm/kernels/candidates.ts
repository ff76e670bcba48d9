/**
 * The convolution kernels there are, and which of them compute a convolution here. Which of those is taken is decided elsewhere.
 */
import type { Encoding } from '../../../model/types';
import { CONV2D_LUT } from './conv2d_lut';
import { CONV2D_MASKS } from './conv2d_masks';
import { CONV2D_PAIRS } from './conv2d_pairs';
import { CONV2D_QUADS, CONV2D_SPLIT_QUADS } from './conv2d_quads';
import { CONV2D_WIDE } from './conv2d_wide';
import type { ConvKernel, KernelHost } from './kernel';

/** Best first. */
const CONV_KERNELS = [
  CONV2D_QUADS,
  CONV2D_PAIRS,
  CONV2D_SPLIT_QUADS,
  CONV2D_MASKS,
  CONV2D_LUT,
  CONV2D_WIDE,
] as const;

/** All that compute this encoding on the host's module: first those that are expected to be best on its engine. */
export function candidatesFor(encoding: Encoding, host: KernelHost): readonly ConvKernel[] {
  const expected = CONV_KERNELS.filter((kernel) => kernel.supports(encoding, host));
  // They are exact with the other kind of dot product too, and only slower.
  const other = { ...host, fusedDot: !host.fusedDot };
  const others = CONV_KERNELS.filter((kernel) => kernel.supports(encoding, other));
  return [...new Set([...expected, ...others])];
}
