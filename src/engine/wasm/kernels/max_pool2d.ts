/**
 * 2x2 maximum with stride 2 of 16-bit features (code: ../assembly/max_pool2d.ts).
 *
 *   out[y, x, c] = max of in[2y, 2x, c], in[2y, 2x + 1, c], in[2y + 1, 2x, c], in[2y + 1, 2x + 1, c]
 *
 * Every step is supported.
 */
import type { MaxPoolStep } from '../../planner';
import { kernelCall, type KernelCall } from './kernel';
import type { Rows } from './rows';

export const MAX_POOL2D_NAME = 'max_pool2d_simd128';

/** The call that makes some output rows. */
export function dispatchMaxPool(
  step: MaxPoolStep,
  source: number,
  target: number,
  { first, end }: Rows,
): KernelCall {
  const [, width, channels] = step.outputShape;
  const rowBytes = width * channels * 2;
  return kernelCall(
    'maxPool2d',
    source + first * 4 * rowBytes,
    target + first * rowBytes,
    end - first,
    width,
    channels,
  );
}
