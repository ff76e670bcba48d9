/**
 * 2x2 maximum with stride 2 of 16-bit features (code: ../assembly/max_pool2d.ts).
 *
 *   out[y, x, c] = max of in[2y, 2x, c], in[2y, 2x + 1, c], in[2y + 1, 2x, c], in[2y + 1, 2x + 1, c]
 *
 * Every step is supported.
 */
import type { MaxPoolStep } from '../../planner';
import type { KernelHost, StepCall } from './kernel';

export const MAX_POOL2D_NAME = 'max_pool2d_simd128';

export function dispatchMaxPool(
  { exports: { functions } }: KernelHost,
  step: MaxPoolStep,
  source: number,
  target: number,
): StepCall {
  const [height, width, channels] = step.outputShape;
  return () => functions.maxPool2d(source, target, height, width, channels);
}
