/**
 * Convolution of activations. For output pixel (oy, ox) and output channel o, with q the padded activations:
 *
 *   out = sat16((sum over ky, kx, c of w[o, ky, kx, c] * q[oy*stride + ky, ox*stride + kx, c] + r) >> t)
 *
 * An invocation sums four output channels of a column of four pixels: one weight texel serves four pixels and one word of
 * activations four channels. Neighbouring invocations are neighbours in x, so that reads and writes are contiguous and the
 * weights they fetch are the same. Sizes are uniforms, not text: a network needs three pipelines. Each is one flat loop: on
 * SwiftShader, loops within loops took four times as long.
 *
 * Two variants: `dot4` multiplies with dot4I8Packed, `shift` unpacks with shifts where WGSL lacks it.
 */
import { roundingOf } from '../../../model/graph';
import type { ConvStep } from '../../planner';
import { WORD_CHANNELS } from '../channel_words';
import { activationPlanes } from './activation_planes';
import {
  channelPairs,
  KernelRefusal,
  stepPrelude,
  uniformValues,
  WEIGHT_TEXTURE_SHIFT,
  type DeviceTraits,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';

export type DotVariant = 'dot4' | 'shift';

export interface Conv2dParams {
  readonly variant: DotVariant;
  /** Kernels of 1, or of 3 with stride 1, are told in the text: all rows of a kernel column then share their loads. */
  readonly kernel: 1 | 3 | 'any';
}

const INVOCATIONS = 64;
/** Output pixels of an invocation, one below the other. */
const COLUMN_HEIGHT = 4;

/** The `step` uniform. Bases count words of the features buffer or texels. */
const FIELDS = [
  ...['plane_width', 'plane_height', 'words', 'weight_base', 'kernel', 'stride'],
  ...['output_width', 'output_height', 'output_base', 'output_pairs', 'groups'],
  ...['sum_shift', 'rounding'],
] as const;

export function makeConv2dKernel(variant: DotVariant): StepKernel<ConvStep, Conv2dParams> {
  return {
    supports: (step, traits) => supports(variant, step, traits),
    name: ({ node }) => `conv2d_${node.encoding}_${variant}`,
    wgsl,
    dispatch,
  };
}

function supports(
  variant: DotVariant,
  { node }: ConvStep,
  { hasPackedDot }: DeviceTraits,
): Conv2dParams | KernelRefusal {
  if (variant === 'dot4' && !hasPackedDot) {
    return new KernelRefusal('WGSL has no packed 4x8-bit dot product here');
  }
  if (node.kernel === 1) return { variant, kernel: 1 };
  return { variant, kernel: node.kernel === 3 && node.stride === 1 ? 3 : 'any' };
}

function wgsl({ variant, kernel }: Conv2dParams): string {
  const pixels = range(COLUMN_HEIGHT);
  return `${stepPrelude(FIELDS)}
${DOT[variant]}
fn weights_at(texel: u32) -> vec4<u32> {
  return textureLoad(weights, vec2<u32>(texel & ${2 ** WEIGHT_TEXTURE_SHIFT - 1}u, texel >> ${WEIGHT_TEXTURE_SHIFT}u), 0);
}

fn store(y: u32, x: u32, group: u32, sum: vec4<i32>) {
  if (y >= u32(step.output_height)) { return; }
  let value = (sum + step.rounding) >> vec4<u32>(u32(step.sum_shift));
  let v = bitcast<vec4<u32>>(clamp(value, vec4<i32>(-32768), vec4<i32>(32767)));
  let plane = u32(step.output_height * step.output_width);
  let at = u32(step.output_base) + group * 2u * plane + y * u32(step.output_width) + x;
  features[at] = (v.x & 0xffffu) | (v.y << 16u);
  if (group * 2u + 1u < u32(step.output_pairs)) {
    features[at + plane] = (v.z & 0xffffu) | (v.w << 16u);
  }
}

@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let output_width = u32(step.output_width);
  let columns = output_width * ((u32(step.output_height) + ${COLUMN_HEIGHT - 1}u) / ${COLUMN_HEIGHT}u);
  let group = id.x / columns;
  if (group >= u32(step.groups)) { return; }
  let ox = id.x % columns % output_width;
  let oy = id.x % columns / output_width * ${COLUMN_HEIGHT}u;
  let words = u32(step.words);
  let kernel = u32(step.kernel);
  let stride = u32(step.stride);
  let row = u32(step.plane_width);
  let plane = row * u32(step.plane_height);
  var at = oy * stride * row + ox * stride;
  var texel = u32(step.weight_base) + group * words * kernel * kernel;
${lines(pixels, (p) => `  var sum${p} = vec4<i32>();`)}
${kernel === 'any' ? tapProducts(pixels) : columnProducts(kernel, pixels)}
${lines(pixels, (p) => `  store(oy + ${p}u, ox, group, sum${p});`)}
}
`;
}

/** One turn per word and kernel column. */
function columnProducts(kernel: 1 | 3, pixels: readonly number[]): string {
  const rows = range(pixels.length + kernel - 1);
  const rowStep = kernel === 1 ? 'stride * row' : 'row';
  const next =
    kernel === 1
      ? 'at += plane;'
      : `kx = select(kx + 1u, 0u, kx == ${kernel - 1}u);
    at += select(1u, plane - ${kernel - 1}u, kx == 0u);`;
  return `  ${kernel === 1 ? '' : 'var kx = 0u;'}
  for (var turn = 0u; turn < words * ${kernel}u; turn++) {
${lines(rows, (r) => `    let a${r} = operand(activations[at + ${r}u * ${rowStep}]);`)}
${lines(
  range(kernel),
  (ky) => `    let v${ky} = coefficients(weights_at(texel + ${ky}u));
${lines(pixels, (p) => `    sum${p} += products(a${p + ky}, v${ky});`)}`,
)}
    texel += ${kernel}u;
    ${next}
  }`;
}

/** One turn per word and kernel tap, column by column. */
function tapProducts(pixels: readonly number[]): string {
  return `  var ky = 0u;
  var kx = 0u;
  for (var turn = 0u; turn < words * kernel * kernel; turn++) {
    let v = coefficients(weights_at(texel));
${lines(pixels, (p) => `    sum${p} += products(operand(activations[at + ${p}u * stride * row]), v);`)}
    texel++;
    let is_column_end = ky + 1u == kernel;
    let is_word_end = is_column_end && kx + 1u == kernel;
    at += select(select(row, 1u - (kernel - 1u) * row, is_column_end), plane - (kernel - 1u) * (row + 1u), is_word_end);
    ky = select(ky + 1u, 0u, is_column_end);
    kx = select(select(kx, kx + 1u, is_column_end), 0u, is_word_end);
  }`;
}

/** `products(operand(a), coefficients(v))`: for four output channels, the dot product of four activations and weights. */
const DOT: Readonly<Record<DotVariant, string>> = {
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

function dispatch(step: ConvStep, _params: Conv2dParams, placement: StepPlacement): StepDispatch {
  const { node, outputShape } = step;
  const [height, width, channels] = outputShape;
  const planes = activationPlanes(step);
  const groups = Math.ceil(channels / WORD_CHANNELS);
  const invocations = width * Math.ceil(height / COLUMN_HEIGHT) * groups;
  return {
    workgroups: [Math.ceil(invocations / INVOCATIONS), 1, 1],
    uniforms: uniformValues(FIELDS, {
      plane_width: planes.width,
      plane_height: planes.height,
      words: planes.words,
      weight_base: placement.weightBase,
      kernel: node.kernel,
      stride: node.stride,
      output_width: width,
      output_height: height,
      output_base: placement.outputBase,
      output_pairs: channelPairs(channels),
      groups,
      sum_shift: node.shift,
      rounding: roundingOf(node.shift),
    }),
  };
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function lines(items: readonly number[], line: (item: number) => string): string {
  return items.map(line).join('\n');
}
