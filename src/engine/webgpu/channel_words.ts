/**
 * How the channels that a convolution reads are grouped in words of four 8-bit activations. Each part of a concatenation
 * starts a new word, so that a word never straddles two tensors; missing channels have weight 0. Numbers only, no GPU.
 */
import type { ConvStep } from '../planner';

/** Four channels of a convolution's input; the last word of a part may have fewer. */
export interface ChannelWord {
  /** Index into the step's parts; 0 for the image. */
  readonly part: number;
  /** Position of the word within its part. */
  readonly wordInPart: number;
  /** First channel within the concatenation. */
  readonly firstChannel: number;
  /** 1..4 */
  readonly channels: number;
}

export const WORD_CHANNELS = 4;

/** The input words of a convolution in the order of its channels. */
export function channelWords(step: ConvStep): readonly ChannelWord[] {
  return partChannels(step).flatMap(({ firstChannel, channels }, part) =>
    Array.from({ length: Math.ceil(channels / WORD_CHANNELS) }, (_, wordInPart) => ({
      part,
      wordInPart,
      firstChannel: firstChannel + wordInPart * WORD_CHANNELS,
      channels: Math.min(WORD_CHANNELS, channels - wordInPart * WORD_CHANNELS),
    })),
  );
}

export function channelWordCount(step: ConvStep): number {
  return partChannels(step).reduce(
    (sum, { channels }) => sum + Math.ceil(channels / WORD_CHANNELS),
    0,
  );
}

function partChannels(step: ConvStep): readonly { firstChannel: number; channels: number }[] {
  if (step.source.kind === 'image') return [{ firstChannel: 0, channels: step.inputShape[2] }];
  return step.source.parts.map(({ channelOffset, shape }) => ({
    firstChannel: channelOffset,
    channels: shape[2],
  }));
}
