/**
 * Convolution with weights of one bit over bit planes. With a[b] bit b of 32 activations, v the 32 weights of an output
 * channel, bit 1 for -1, and w * q = q - 2 * q where the bit is set:
 *
 *   sum = (sum over words and bits b of popcount(a[b]) << b) - 2 * (sum of popcount(a[b] & v) << b)
 *
 * The first sum serves all output channels. Bits of the padding and of channels that do not exist are 0 and add nothing.
 * The work grows with the bits of the activations, that of dot4 does not.
 */
import type { ConvStep } from '../../planner';
import { activationBits } from './activation_planes';
import {
  conv2dDispatch,
  conv2dFunctions,
  CONV2D_FIELDS,
  eachSum,
  kernelOf,
  lines,
  range,
  numberedStartText,
  storesText,
  walkOf,
  type Conv2dKernel,
  type Conv2dParams,
} from './conv2d_text';
import { KernelRefusal, stepPrelude, type DeviceTraits } from './kernel';
import type { Tile } from './tile';

interface BitParams extends Conv2dParams {
  /** Of an activation. */
  readonly bits: number;
}

export function conv2dOfBits(tile: Tile): Conv2dKernel<BitParams> {
  return {
    supports: (step, traits) => supports(tile, step, traits),
    wgsl,
    dispatch: (step, params, placement) => conv2dDispatch(step, params, placement, 'bits'),
  };
}

function supports(
  tile: Tile,
  step: ConvStep,
  { workgroupSize }: DeviceTraits,
): BitParams | KernelRefusal {
  if (step.node.encoding !== 'b1') {
    return new KernelRefusal(`it takes weights of one bit (b1), these are ${step.node.encoding}`);
  }
  if (step.source.kind === 'image') {
    return new KernelRefusal('it takes requantized features, this step reads the image');
  }
  return {
    bits: activationBits(step),
    kernel: kernelOf(step),
    tile,
    invocations: workgroupSize,
  };
}

function wgsl(params: BitParams): string {
  const { tile, bits, invocations } = params;
  const walk = walkOf(params);
  const pixels = range(tile.pixels);
  const plusOf = (r: number): string =>
    range(bits)
      .map((b) => `(countOneBits(a${r}_${b}) << ${b}u)`)
      .join(' + ');
  const minusOf = (r: number, v: string): string =>
    range(bits)
      .map((b) => `(countOneBits(vec4<u32>(a${r}_${b}) & ${v}) << vec4<u32>(${b}u))`)
      .join(' + ');
  return `${stepPrelude(CONV2D_FIELDS)}${conv2dFunctions('texture')}
@compute @workgroup_size(${invocations})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
${numberedStartText(tile)}
  let plane = plane_step / ${bits}u;
${lines(pixels, (p) => `  var plus${p} = 0u;`)}
${eachSum(tile, (p, g) => `  var minus${p}_${g} = vec4<u32>();`)}
  ${walk.declare}
  for (var turn = 0u; turn < ${walk.turns}; turn++) {
${walk.rows
  .map((row, r) =>
    lines(range(bits), (b) => `    let a${r}_${b} = activations[at + ${b}u * plane + ${row}];`),
  )
  .join('\n')}
${lines(range(walk.rows.length), (r) => `    let n${r} = ${plusOf(r)};`)}
${lines(range(walk.taps), (k) => lines(pixels, (p) => `    plus${p} += n${p + k};`))}
${lines(range(walk.taps), (k) =>
  lines(
    range(tile.channels / 4),
    (g) => `    let v${k}_${g} = weights_at(texel + ${g}u * group_texels + ${k}u);
${lines(pixels, (p) => `    minus${p}_${g} += ${minusOf(p + k, `v${k}_${g}`)};`)}`,
  ),
)}
    texel += ${walk.taps}u;
    ${walk.advance}
  }
${storesText(tile, (p, g) => `vec4<i32>(i32(plus${p})) - 2 * vec4<i32>(minus${p}_${g})`)}
}
`;
}
