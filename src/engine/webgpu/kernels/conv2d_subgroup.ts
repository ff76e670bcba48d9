/**
 * The same sum as conv2d with dot4I8Packed, with weights shared over a subgroup: each invocation fetches the weights of one
 * turn, and the subgroup takes as many turns on what its invocations broadcast. For that, all invocations of a workgroup
 * have the same output channels.
 */
import type { ConvStep } from '../../planner';
import { noPackedDot, PRODUCTS, turnText } from './conv2d';
import {
  columnsText,
  conv2dFunctions,
  conv2dUniforms,
  CONV2D_FIELDS,
  eachSum,
  kernelOf,
  lines,
  range,
  startText,
  storesText,
  walkOf,
  type Conv2dKernel,
  type Conv2dParams,
} from './conv2d_text';
import { KernelRefusal, stepPrelude, type DeviceTraits } from './kernel';
import { tileCounts, type Tile } from './tile';

interface SubgroupParams extends Conv2dParams {
  /** Turns whose weights are fetched at once; no more than any subgroup has invocations. */
  readonly chunk: number;
}

/** Each turn of a chunk is in the text. */
const MAX_CHUNK = 8;

export function conv2dOfSubgroups(tile: Tile): Conv2dKernel<SubgroupParams> {
  return {
    supports: (step, traits) => supports(tile, step, traits),
    wgsl,
    dispatch: (step, params, placement) => {
      const [columns, tiles] = tileCounts(step, params.tile);
      return {
        workgroups: [Math.ceil(columns / params.invocations), tiles, 1],
        uniforms: conv2dUniforms(step, placement, 'bytes'),
      };
    },
  };
}

function supports(
  tile: Tile,
  step: ConvStep,
  traits: DeviceTraits,
): SubgroupParams | KernelRefusal {
  return (
    noSubgroups(traits) ?? {
      kernel: kernelOf(step),
      tile,
      invocations: traits.workgroupSize,
      chunk: Math.min(traits.subgroupSize, MAX_CHUNK),
    }
  );
}

export function noSubgroups(traits: DeviceTraits): KernelRefusal | null {
  if (traits.subgroupSize > 0) return noPackedDot(traits);
  return new KernelRefusal('this GPU offers no subgroups to shaders');
}

/** No invocation leaves early and all conditions around a broadcast are uniform: WGSL asks for both. */
function wgsl(params: SubgroupParams): string {
  const { tile, invocations, chunk } = params;
  const walk = walkOf(params);
  return `${stepPrelude(CONV2D_FIELDS, 'subgroups')}${conv2dFunctions('texture')}${PRODUCTS.dot4}
@compute @workgroup_size(${invocations})
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
${columnsText(tile)}
  let tile = workgroup.y;
  let column = min(id.x, columns - 1u);
${startText(tile)}
${eachSum(tile, (p, g) => `  var sum${p}_${g} = vec4<i32>();`)}
  ${walk.declare}
  let turns = ${walk.turns};
  let own = min(invocation, ${chunk - 1}u) * ${walk.taps}u;
  for (var turn = 0u; turn < turns; turn += ${chunk}u) {
${lines(range(walk.taps), (k) =>
  lines(
    range(tile.channels / 4),
    (g) => `    let w${k}_${g} = weights_at(texel + own + ${g}u * group_texels + ${k}u);`,
  ),
)}
${lines(
  range(chunk),
  (turn) => `    if (turn + ${turn}u < turns) {
${turnText(params, (k, g) => `subgroupBroadcast(w${k}_${g}, ${turn}u)`)}
    ${walk.advance}
    }`,
)}
    texel += ${chunk * walk.taps}u;
  }
  if (id.x >= columns) { return; }
${storesText(tile, (p, g) => `sum${p}_${g}`)}
}
`;
}
