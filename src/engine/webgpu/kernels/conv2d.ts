/**
 * Convolution of activations. For output pixel (oy, ox) and output channel o, with q the padded activations:
 *
 *   out = sat16((sum over ky, kx, c of w[o, ky, kx, c] * q[oy*stride + ky, ox*stride + kx, c] + r) >> t)
 *
 * One weight texel serves all pixels of a tile and one word of activations four channels. Neighbouring invocations are
 * neighbours in x, so that reads and writes are contiguous and the weights they fetch are the same. Sizes are uniforms, not
 * text: a network needs three pipelines.
 *
 * Variants: `dot4` multiplies with dot4I8Packed, `shift` unpacks with shifts where WGSL lacks it, and `storage` is dot4 with
 * weights in a storage buffer instead of a texture, which costs twice their memory and is there to be compared.
 */
import type { ConvStep } from '../../planner';
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
  type WeightSource,
} from './conv2d_text';
import { KernelRefusal, stepPrelude, type DeviceTraits } from './kernel';
import type { Tile } from './tile';

export type ByteVariant = 'dot4' | 'shift' | 'storage';
type Products = 'dot4' | 'shift';

interface ByteParams extends Conv2dParams {
  readonly products: Products;
  readonly source: WeightSource;
}

export function conv2dOfBytes(variant: ByteVariant): (tile: Tile) => Conv2dKernel<ByteParams> {
  return (tile) => ({
    supports: (step, traits) => supports(variant, tile, step, traits),
    wgsl,
    dispatch: (step, params, placement) => conv2dDispatch(step, params, placement, 'bytes'),
  });
}

function supports(
  variant: ByteVariant,
  tile: Tile,
  step: ConvStep,
  traits: DeviceTraits,
): ByteParams | KernelRefusal {
  const refusal = variant === 'shift' ? null : noPackedDot(traits);
  if (refusal !== null) return refusal;
  return {
    products: variant === 'shift' ? 'shift' : 'dot4',
    source: variant === 'storage' ? 'buffer' : 'texture',
    kernel: kernelOf(step),
    tile,
    invocations: traits.workgroupSize,
  };
}

export function noPackedDot({ hasPackedDot }: DeviceTraits): KernelRefusal | null {
  return hasPackedDot ? null : new KernelRefusal('WGSL has no packed 4x8-bit dot product here');
}

function wgsl(params: ByteParams): string {
  const { tile, products, source, invocations } = params;
  const walk = walkOf(params);
  return `${stepPrelude(CONV2D_FIELDS)}${conv2dFunctions(source)}${PRODUCTS[products]}
@compute @workgroup_size(${invocations})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
${numberedStartText(tile)}
${eachSum(tile, (p, g) => `  var sum${p}_${g} = vec4<i32>();`)}
  ${walk.declare}
  for (var turn = 0u; turn < ${walk.turns}; turn++) {
${turnText(params, (k, g) => `weights_at(texel + ${g}u * group_texels + ${k}u)`)}
    texel += ${walk.taps}u;
    ${walk.advance}
  }
${storesText(tile, (p, g) => `sum${p}_${g}`)}
}
`;
}

/** Loads the words of a turn and adds their products to the sums; `texel(tap, group)` is an expression. */
export function turnText(
  params: Conv2dParams,
  texel: (tap: number, group: number) => string,
): string {
  const { rows, taps } = walkOf(params);
  const { pixels, channels } = params.tile;
  return `${rows.map((row, r) => `    let a${r} = operand(activations[at + ${row}]);`).join('\n')}
${lines(range(taps), (k) =>
  lines(
    range(channels / 4),
    (g) => `    let v${k}_${g} = coefficients(${texel(k, g)});
${lines(range(pixels), (p) => `    sum${p}_${g} += products(a${p + k}, v${k}_${g});`)}`,
  ),
)}`;
}

/** `products(operand(a), coefficients(v))`: for four output channels, the dot product of four activations and weights. */
export const PRODUCTS: Readonly<Record<Products, string>> = {
  dot4: `
fn operand(a: u32) -> u32 { return a; }
fn coefficients(v: vec4<u32>) -> vec4<u32> { return v; }
fn products(a: u32, v: vec4<u32>) -> vec4<i32> {
  return vec4<i32>(dot4I8Packed(a, v.x), dot4I8Packed(a, v.y), dot4I8Packed(a, v.z), dot4I8Packed(a, v.w));
}
`,
  shift: `
struct Coefficients { c0: vec4<i32>, c1: vec4<i32>, c2: vec4<i32>, c3: vec4<i32> }
fn operand(a: u32) -> vec4<i32> {
  return vec4<i32>((vec4<u32>(a) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u));
}
fn coefficients(v: vec4<u32>) -> Coefficients {
  let b = bitcast<vec4<i32>>(v);
  return Coefficients(
    (b << vec4<u32>(24u)) >> vec4<u32>(24u),
    (b << vec4<u32>(16u)) >> vec4<u32>(24u),
    (b << vec4<u32>(8u)) >> vec4<u32>(24u),
    b >> vec4<u32>(24u),
  );
}
fn products(a: vec4<i32>, v: Coefficients) -> vec4<i32> {
  return a.x * v.c0 + a.y * v.c1 + a.z * v.c2 + a.w * v.c3;
}
`,
};
