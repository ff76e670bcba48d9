/**
 * How activations wait for a convolution: planes of words with the zero padding around them, so that the convolution reads
 * without a look at borders. As `bytes`, a word holds four channels; as `bits`, 32 channels have a plane for each of their
 * bits, lowest first. Sizes only.
 */
import { maxActivation } from '../../../model/graph';
import type { ConvStep } from '../../planner';
import { channelWordCount } from '../channel_words';
import type { OperandForm } from './kernel';

export interface ActivationPlanes {
  readonly width: number;
  readonly height: number;
  /** Words of zeros on each side. */
  readonly pad: number;
  /** Groups of channels: of 4 as `bytes`, of 8 times 4 as `bits`. */
  readonly words: number;
  /** Planes of a group. */
  readonly bits: number;
}

/** Words of four channels whose bits make one word. */
export const WORDS_PER_BLOCK = 8;

export function activationPlanes(step: ConvStep, form: OperandForm): ActivationPlanes {
  const [height, width] = step.inputShape;
  const pad = (step.node.kernel - 1) / 2;
  const words = channelWordCount(step);
  return {
    width: width + 2 * pad,
    height: height + 2 * pad,
    pad,
    ...(form === 'bytes'
      ? { words, bits: 1 }
      : { words: Math.ceil(words / WORDS_PER_BLOCK), bits: activationBits(step) }),
  };
}

/** Words that all planes of a step take. */
export function activationWords(step: ConvStep, form: OperandForm): number {
  const { width, height, words, bits } = activationPlanes(step, form);
  return width * height * words * bits;
}

/** Bits of the step's largest activation, 1..7. */
export function activationBits({ source }: ConvStep): number {
  const largest =
    source.kind === 'image' ? 255 >> source.inputShift : maxActivation(source.inputBits);
  return 32 - Math.clz32(largest);
}
