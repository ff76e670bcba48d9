/**
 * Requantization as requantize.ts has it, stored as bit planes for conv2d_bitplanes: with q of slot j, which is channel j % 4 of
 * word j >> 2 of a block of eight words,
 *
 *   plane b of the block = sum over j of ((q[j] >> b) & 1) << j     0 in the padding
 *
 * An invocation makes all planes of one block and one pixel.
 */
import type { ConvStep } from '../../planner';
import { activationBits, WORDS_PER_BLOCK } from './activation_planes';
import { lines, range } from './conv2d_text';
import { stepPrelude, type KernelRefusal, type StepKernel } from './kernel';
import {
  LOAD_TEXT,
  PIXEL_TEXT,
  readsParts,
  REQUANTIZE_FIELDS,
  REQUANTIZE_INVOCATIONS,
  requantizeDispatch,
} from './requantize';

interface BitsParams {
  readonly bits: number;
}

export const requantizeBits: StepKernel<ConvStep, BitsParams> = {
  supports,
  name: () => 'requantize_bits',
  wgsl,
  dispatch: (step, _params, placement) => requantizeDispatch(step, placement, 'bits'),
};

function supports(step: ConvStep): BitsParams | KernelRefusal {
  return readsParts(step) ?? { bits: activationBits(step) };
}

/** The product brings bit 0 of each byte side by side into the highest byte. */
function wgsl({ bits }: BitsParams): string {
  const planes = range(bits);
  return `${stepPrelude(REQUANTIZE_FIELDS)}${LOAD_TEXT}
fn nibble(word: u32, bit: u32) -> u32 {
  return (((word >> bit) & 0x01010101u) * 0x01020408u) >> 24u;
}

@compute @workgroup_size(${REQUANTIZE_INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
${PIXEL_TEXT}
${lines(planes, (b) => `  var plane${b} = 0u;`)}
  if (y >= 0 && y < step.height && x >= 0 && x < step.width) {
    let first = id.y * ${WORDS_PER_BLOCK}u;
    let count = min(${WORDS_PER_BLOCK}u, u32(step.words) - first);
    for (var j = 0u; j < count; j++) {
      let word = load(u32(step.table_base) + (first + j) * 2u, u32(y), u32(x));
${lines(planes, (b) => `      plane${b} |= nibble(word, ${b}u) << (j * 4u);`)}
    }
  }
  let at = id.y * ${bits}u * plane_size + id.x;
${lines(planes, (b) => `  activations[at + ${b}u * plane_size] = plane${b};`)}
}
`;
}
