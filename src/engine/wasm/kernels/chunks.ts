/**
 * How long 16-bit sums of ternary weights can go without a spill to 32 bits. Decided from the weights themselves, which
 * allows chunks about twice as long as the worst case of their number.
 */
import { runOctsOf, type ConvWeights } from './kernel';

/** More groups than any convolution has: never spill. */
export const UNCHUNKED = 2 ** 30;

/** Whether a chunk with so many weights of +1 and of -1 keeps its sum in range. Must hold for 8 and fewer of each. */
export type ChunkRule = (positive: number, negative: number) => boolean;

/**
 * Groups of eight activations between two spills: the fewest equal chunks for which the rule holds in every output. Chunks
 * run across kernel rows.
 */
export function chunkOctsOf(weights: ConvWeights, fits: ChunkRule): number {
  const terms = weights.kernel ** 2 * weights.inChannels;
  if (fits(terms, terms)) return UNCHUNKED; // whatever the weights are, and most 1x1 convolutions
  const octs = weights.kernel * runOctsOf(weights);
  for (let chunks = 1; chunks < octs; chunks++) {
    const chunkOcts = Math.ceil(octs / chunks);
    if (everyChunkFits(weights, chunkOcts, fits)) return chunks === 1 ? UNCHUNKED : chunkOcts;
  }
  return 1;
}

function everyChunkFits(weights: ConvWeights, chunkOcts: number, fits: ChunkRule): boolean {
  const { values, outChannels, kernel, inChannels } = weights;
  const run = kernel * inChannels;
  for (let output = 0; output < outChannels; output++) {
    let positive = 0;
    let negative = 0;
    let oct = 0;
    for (let row = 0; row < kernel; row++) {
      const first = (output * kernel + row) * run;
      for (let k = 0; k < run; k += 8, oct++) {
        if (oct % chunkOcts === 0) {
          positive = 0;
          negative = 0;
        }
        for (let i = first + k; i < first + Math.min(k + 8, run); i++) {
          const weight = values[i] ?? 0;
          if (weight > 0) positive++;
          else if (weight < 0) negative++;
        }
        if (!fits(positive, negative)) return false;
      }
    }
  }
  return true;
}
