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
  const runOcts = runOctsOf(weights);
  for (let output = 0; output < outChannels; output++) {
    let positive = 0;
    let negative = 0;
    let chunk = 0;
    for (let k = 0; k < kernel * run; k++) {
      const oct = Math.floor(k / run) * runOcts + ((k % run) >> 3);
      if (Math.floor(oct / chunkOcts) !== chunk) {
        chunk = Math.floor(oct / chunkOcts);
        positive = 0;
        negative = 0;
      }
      const weight = values[output * kernel * run + k] ?? 0;
      if (weight > 0) positive++;
      if (weight < 0) negative++;
      if (!fits(positive, negative)) return false;
    }
  }
  return true;
}
