/**
 * Fused requantise + conv2d. For output pixel (oy, ox) and output channel o:
 *
 *   q[y, x, c] = clamp(sat16(((x16 * m[c] + 2^14) >> 15) + b[c]) >> s, 0, qmax)     0 outside the image
 *   out        = sat16((sum over ky, kx, c of w[o, ky, kx, c] * q[oy*stride + ky - pad, ox*stride + kx - pad, c] + r) >> t)
 *
 * For the image, q = byte >> inputShift. A workgroup owns a tile of output pixels and a range of output channels. It
 * requantises the tile with its halo once, four channels per word, into workgroup memory; then each invocation sums four
 * output channels of a column of four pixels, so that one weight texel serves four pixels. Inputs too wide for
 * workgroup memory are taken in chunks of words. Sizes are uniforms, not text: a network needs a handful of pipelines.
 *
 * Two variants: `dot4` multiplies with dot4I8Packed, `shift` unpacks with shifts where WGSL lacks it.
 */
import { maxActivation, roundingOf } from '../../../model/graph';
import type { ConvStep } from '../../planner';
import { channelWordCount, WORD_CHANNELS } from '../channel_words';
import {
  KernelRefusal,
  pixelWords,
  stepPrelude,
  WEIGHT_TEXTURE_SHIFT,
  type DeviceTraits,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';

export type DotVariant = 'dot4' | 'shift';

/** What the shader's text depends on, and the tile that it is told. */
export interface Conv2dParams {
  readonly variant: DotVariant;
  readonly source: 'image' | 'parts';
  /** 3x3 with stride 1: each activation of a column is loaded once for all three rows of the kernel. */
  readonly isUnrolled: boolean;
  readonly invocations: 64 | 128 | 256;
  readonly tile: Tile;
}

interface Tile {
  /** Output pixels of a workgroup; the height is a multiple of COLUMN_HEIGHT. */
  readonly width: number;
  readonly height: number;
  /** Groups of four output channels in a workgroup. */
  readonly channelGroups: number;
  /** Input words held in workgroup memory at a time. */
  readonly chunkWords: number;
}

const MAX_TILE_SIDE = 8;
/** Output pixels of an invocation, one below the other. */
const COLUMN_HEIGHT = 4;
const MAX_INVOCATIONS = 256;
/**
 * Words of workgroup memory. Small for two reasons: many workgroups fit on a compute unit, and SwiftShader, which compiles
 * a store for each word that WebGPU clears, needs about a millisecond per word.
 */
const ACTIVATION_WORDS = 640;

/** The `step` uniform. Bases count words of the features buffer, entries of the table, or texels. */
const FIELDS = [
  ...['input_height', 'input_width', 'output_height', 'output_width'],
  ...['output_base', 'output_pixel_words', 'table_base', 'weight_base'],
  ...['words', 'groups', 'kernel', 'stride'],
  // The image: mask of each byte and right shift. Parts: qmax and s.
  ...['limit', 'norm_shift', 'sum_shift', 'rounding'],
  ...['tile_width', 'tile_height', 'tile_groups', 'chunk_words'],
  ...['halo_width', 'halo_pixels', 'plane', 'pad'],
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
  step: ConvStep,
  traits: DeviceTraits,
): Conv2dParams | KernelRefusal {
  if (variant === 'dot4' && !traits.hasPackedDot) {
    return new KernelRefusal('WGSL has no packed 4x8-bit dot product here');
  }
  const { kernel, stride } = step.node;
  const size = tileSize(step);
  const plane = planeWords(step, size);
  if (plane > ACTIVATION_WORDS) {
    return new KernelRefusal(
      `a tile of its ${kernel} x ${kernel} kernel needs ${plane} words of workgroup memory, there are ${ACTIVATION_WORDS}`,
    );
  }
  const columns = (size.width * size.height) / COLUMN_HEIGHT;
  const groups = Math.ceil(step.outputShape[2] / WORD_CHANNELS);
  const channelGroups = equalShare(groups, Math.floor(MAX_INVOCATIONS / columns));
  const busy = columns * channelGroups;
  // Those beyond `busy` still help to requantise.
  const invocations = busy <= 64 ? 64 : busy <= 128 ? 128 : MAX_INVOCATIONS;
  const chunkWords = equalShare(
    channelWordCount(step),
    Math.min(invocations, Math.floor(ACTIVATION_WORDS / plane)),
  );
  return {
    variant,
    source: step.source.kind,
    isUnrolled: step.source.kind === 'parts' && kernel === 3 && stride === 1,
    invocations,
    tile: { ...size, channelGroups, chunkWords },
  };
}

/** Up to 8x8 pixels, but no more than the output has, and less where a large kernel's halo would not fit. */
function tileSize(step: ConvStep): { width: number; height: number } {
  const [outputHeight, outputWidth] = step.outputShape;
  let width = Math.min(MAX_TILE_SIDE, powerOfTwo(outputWidth));
  let height = outputHeight > COLUMN_HEIGHT ? MAX_TILE_SIDE : COLUMN_HEIGHT;
  while (planeWords(step, { width, height }) > ACTIVATION_WORDS) {
    if (height > COLUMN_HEIGHT) height /= 2;
    else if (width > 1) width /= 2;
    else break;
  }
  return { width, height };
}

/** Largest of the fewest nearly equal shares of at most `limit`: 17 in shares of at most 16 is 9 + 8. */
function equalShare(count: number, limit: number): number {
  return Math.ceil(count / Math.ceil(count / limit));
}

/** Activations of one input word under a tile; odd, so that words of one pixel fall into different memory banks. */
function planeWords(step: ConvStep, tile: Pick<Tile, 'width' | 'height'>): number {
  return (haloSide(step, tile.width) * haloSide(step, tile.height)) | 1;
}

function haloSide({ node }: ConvStep, side: number): number {
  return (side - 1) * node.stride + node.kernel;
}

/** Smallest power of two that is at least `value`. */
function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

function wgsl(params: Conv2dParams): string {
  const pixels = range(COLUMN_HEIGHT);
  const isImage = params.source === 'image';
  return `${stepPrelude(FIELDS)}
var<workgroup> activations: array<u32, ${ACTIVATION_WORDS}>;
${DOT[params.variant]}${LOAD[params.source]}
fn next_weights(texel: u32) -> vec4<u32> {
  return textureLoad(weights, vec2<u32>(texel & ${2 ** WEIGHT_TEXTURE_SHIFT - 1}u, texel >> ${WEIGHT_TEXTURE_SHIFT}u), 0);
}

fn store(y: u32, x: u32, group: u32, sum: vec4<i32>) {
  if (y >= u32(step.output_height) || x >= u32(step.output_width)) { return; }
  let value = (sum + step.rounding) >> vec4<u32>(u32(step.sum_shift));
  let v = bitcast<vec4<u32>>(clamp(value, vec4<i32>(-32768), vec4<i32>(32767)));
  let pixel_words = u32(step.output_pixel_words);
  let at = u32(step.output_base) + (y * u32(step.output_width) + x) * pixel_words + group * 2u;
  features[at] = (v.x & 0xffffu) | (v.y << 16u);
  if (group * 2u + 1u < pixel_words) {
    features[at + 1u] = (v.z & 0xffffu) | (v.w << 16u);
  }
}

@compute @workgroup_size(${params.invocations})
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let words = u32(step.words);
  let tile_width = u32(step.tile_width);
  let columns = tile_width * u32(step.tile_height) / ${COLUMN_HEIGHT}u;
  let tx = lane % columns % tile_width;
  let ty = lane % columns / tile_width * ${COLUMN_HEIGHT}u;
  let local_group = lane / columns;
  let group = tile.z * u32(step.tile_groups) + local_group;
  let is_active = local_group < u32(step.tile_groups) && group < u32(step.groups);

  let halo_width = u32(step.halo_width);
  let halo_pixels = u32(step.halo_pixels);
  let plane = u32(step.plane);
  let kernel = u32(step.kernel);
  let stride = u32(step.stride);
  let first_y = i32(tile.y) * step.tile_height * step.stride - step.pad;
  let first_x = i32(tile.x) * step.tile_width * step.stride - step.pad;
  var texel = u32(step.weight_base) + group * words * kernel * kernel;
${lines(pixels, (p) => `  var sum${p} = vec4<i32>();`)}
  for (var first = 0u; first < words; first += u32(step.chunk_words)) {
    let count = min(words - first, u32(step.chunk_words));
    if (first > 0u) { workgroupBarrier(); }
    // Each lane requantises one word at several pixels, so that it reads the word's multipliers once.
    let jump = ${params.invocations}u / count;
    let word = lane % count;
    var i = lane / count;
    if (i < jump) {
      ${isImage ? '' : 'let source = word_source(first + word);'}
      var y = i / halo_width;
      var x = i % halo_width;
      for (; i < halo_pixels; i += jump) {
        let iy = first_y + i32(y);
        let ix = first_x + i32(x);
        var value = 0u;
        if (iy >= 0 && iy < step.input_height && ix >= 0 && ix < step.input_width) {
          value = load(${isImage ? '' : 'source, '}u32(iy), u32(ix));
        }
        activations[word * plane + i] = value;
        x += jump % halo_width;
        y += jump / halo_width;
        if (x >= halo_width) {
          x -= halo_width;
          y++;
        }
      }
    }
    workgroupBarrier();
    if (is_active) {
      for (var w = 0u; w < count; w++) {
        let corner = w * plane + ty * stride * halo_width + tx * stride;
${params.isUnrolled ? unrolledProducts(pixels) : loopedProducts(pixels)}
      }
    }
  }
  if (!is_active) { return; }
  let ox = tile.x * tile_width + tx;
  let oy = tile.y * u32(step.tile_height) + ty;
${lines(pixels, (p) => `  store(oy + ${p}u, ox, group, sum${p});`)}
}
`;
}

function unrolledProducts(pixels: readonly number[]): string {
  const kernel = range(3);
  const rows = range(pixels.length + kernel.length - 1);
  return `        for (var kx = 0u; kx < 3u; kx++) {
${lines(rows, (r) => `          let a${r} = operand(activations[corner + kx + ${r}u * halo_width]);`)}
${lines(
  kernel,
  (ky) => `          let v${ky} = coefficients(next_weights(texel + ${ky}u));
${lines(pixels, (p) => `          sum${p} += products(a${p + ky}, v${ky});`)}`,
)}
          texel += 3u;
        }`;
}

function loopedProducts(pixels: readonly number[]): string {
  return `        for (var kx = 0u; kx < kernel; kx++) {
          for (var ky = 0u; ky < kernel; ky++) {
            let at = corner + kx + ky * halo_width;
            let v = coefficients(next_weights(texel));
${lines(pixels, (p) => `            sum${p} += products(operand(activations[at + ${p}u * stride * halo_width]), v);`)}
            texel++;
          }
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

/** One word of activations at an input pixel. */
const LOAD: Readonly<Record<Conv2dParams['source'], string>> = {
  image: `
fn load(y: u32, x: u32) -> u32 {
  return (image[y * u32(step.input_width) + x] >> u32(step.norm_shift)) & u32(step.limit);
}
`,
  parts: `
struct Source { base: u32, pixel_words: u32, width: u32, upsample: u32, multiplier: vec4<i32>, bias: vec4<i32> }
fn word_source(word: u32) -> Source {
  let entry = u32(step.table_base) + word * 2u;
  let place = table[entry];
  let norm = bitcast<vec4<i32>>(table[entry + 1u]);
  return Source(place.x, place.y, place.z, place.w, (norm << vec4<u32>(16u)) >> vec4<u32>(16u), norm >> vec4<u32>(16u));
}
fn load(source: Source, y: u32, x: u32) -> u32 {
  let at = source.base + ((y >> source.upsample) * source.width + (x >> source.upsample)) * source.pixel_words;
  let pairs = bitcast<vec2<i32>>(vec2<u32>(features[at], features[at + 1u]));
  let value = (pairs.xxyy << vec4<u32>(16u, 0u, 16u, 0u)) >> vec4<u32>(16u);
  let scaled = ((value * source.multiplier + 16384) >> vec4<u32>(15u)) + source.bias;
  let z = clamp(scaled, vec4<i32>(-32768), vec4<i32>(32767)) >> vec4<u32>(u32(step.norm_shift));
  let q = bitcast<vec4<u32>>(clamp(z, vec4<i32>(0), vec4<i32>(step.limit)));
  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);
}
`,
};

function dispatch(step: ConvStep, params: Conv2dParams, placement: StepPlacement): StepDispatch {
  const { source, node, inputShape, outputShape } = step;
  const { tile } = params;
  const [inputHeight, inputWidth] = inputShape;
  const [height, width, channels] = outputShape;
  const groups = Math.ceil(channels / WORD_CHANNELS);
  const haloWidth = haloSide(step, tile.width);
  const values: Readonly<Record<(typeof FIELDS)[number], number>> = {
    input_height: inputHeight,
    input_width: inputWidth,
    output_height: height,
    output_width: width,
    output_base: placement.featureBase(step.outputBuffer),
    output_pixel_words: pixelWords(channels),
    table_base: placement.tableBase,
    weight_base: placement.weightBase,
    words: channelWordCount(step),
    groups,
    kernel: node.kernel,
    stride: node.stride,
    limit: source.kind === 'image' ? byteMask(source.inputShift) : maxActivation(source.inputBits),
    norm_shift: source.kind === 'image' ? source.inputShift : placement.normShift,
    sum_shift: node.shift,
    rounding: roundingOf(node.shift),
    tile_width: tile.width,
    tile_height: tile.height,
    tile_groups: tile.channelGroups,
    chunk_words: tile.chunkWords,
    halo_width: haloWidth,
    halo_pixels: haloWidth * haloSide(step, tile.height),
    plane: planeWords(step, tile),
    pad: (node.kernel - 1) / 2,
  };
  return {
    workgroups: [
      Math.ceil(width / tile.width),
      Math.ceil(height / tile.height),
      Math.ceil(groups / tile.channelGroups),
    ],
    uniforms: FIELDS.map((field) => values[field]),
  };
}

/** Keeps the bits of each byte that a right shift of the whole word did not bring in from the next byte. */
function byteMask(shift: number): number {
  return 0x01010101 * (255 >> shift);
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function lines(items: readonly number[], line: (item: number) => string): string {
  return items.map(line).join('\n');
}
