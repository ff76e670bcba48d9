/**
 * How activations wait for a convolution: planes of words, one per four channels, with the zero padding around them, so that
 * the convolution reads without a look at borders. Sizes only.
 */
import type { ConvStep } from '../../planner';
import { channelWordCount } from '../channel_words';

export interface ActivationPlanes {
  readonly width: number;
  readonly height: number;
  /** Words of zeros on each side. */
  readonly pad: number;
  /** Number of planes. */
  readonly words: number;
}

export function activationPlanes(step: ConvStep): ActivationPlanes {
  const [height, width] = step.inputShape;
  const pad = (step.node.kernel - 1) / 2;
  return { width: width + 2 * pad, height: height + 2 * pad, pad, words: channelWordCount(step) };
}

/** Words that all planes of a step take. */
export function activationWords(step: ConvStep): number {
  const { width, height, words } = activationPlanes(step);
  return width * height * words;
}
