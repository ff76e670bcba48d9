/**
 * Unpacks weights on the GPU, once per model: bits in, signed bytes out.
 *
 *   b1: 1 - 2 * bit      t2: two bits, sign-extended      i8: eight bits, sign-extended
 *
 * Texel i of a parameter holds 4 output channels x 4 input channels: component k is output channel 4g + k, byte j is input
 * channel j of word w, where i = ((g * words + w) * kernel + kx) * kernel + ky, the order in which conv2d reads them.
 * For conv2d_bitplanes a texel holds 4 output channels x 8 words of 4 input channels, a bit each: 1 for -1. Channels that do
 * not exist get 0. The packed texture holds the file's bits, 32 to a texel.
 */
import type { Encoding, WeightTensor } from '../../../model/types';
import { WORD_CHANNELS } from '../channel_words';
import { WORDS_PER_BLOCK } from './activation_planes';
import { WEIGHT_TEXTURE_SHIFT, type OperandForm, type Workgroups } from './kernel';

/** One parameter in the layout that one concatenation asks for. */
export interface UnpackParams {
  readonly weight: WeightTensor;
  /** First texel in the packed texture. */
  readonly packedBase: number;
  /** First texel in the unpacked texture. */
  readonly texelBase: number;
  /** First entry in the word map: (channels << 16) | firstChannel per word. */
  readonly mapBase: number;
  readonly words: number;
  readonly form: OperandForm;
}

const INVOCATIONS = 64;
/** Texels of one row of workgroups; rows go along y, because a dispatch has at most 65535 workgroups a side. */
const ROW_TEXELS = INVOCATIONS * 1024;

const WORDS_PER_TEXEL: Readonly<Record<OperandForm, number>> = { bytes: 1, bits: WORDS_PER_BLOCK };
const BITS: Readonly<Record<Encoding, number>> = { b1: 1, t2: 2, i8: 8 };

export const unpackWeights = {
  name: 'unpack_weights',
  wgsl,
  dispatch,
  bindings,
} as const;

/** Texels that a parameter takes. */
export function texelCount(weight: WeightTensor, words: number, form: OperandForm): number {
  const columns = Math.ceil(words / WORDS_PER_TEXEL[form]);
  return Math.ceil(weight.outChannels / WORD_CHANNELS) * columns * weight.kernel ** 2;
}

function bindings(): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  return [
    { binding: 0, visibility, texture: { sampleType: 'uint' } },
    { binding: 1, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 2, visibility, buffer: { type: 'uniform', hasDynamicOffset: true } },
    { binding: 3, visibility, storageTexture: { format: 'rgba32uint', access: 'write-only' } },
  ];
}

function wgsl(): string {
  const mask = 2 ** WEIGHT_TEXTURE_SHIFT - 1;
  return `
@group(0) @binding(0) var packed: texture_2d<u32>;
@group(0) @binding(1) var<storage, read> word_map: array<u32>;
// parameter[0]: first packed texel, first texel, first map entry, texels
// parameter[1]: words, kernel, input channels, output channels
// parameter[2]: bits of a weight, words of a texel
@group(0) @binding(2) var<uniform> parameter: array<vec4<u32>, 4>;
@group(0) @binding(3) var unpacked: texture_storage_2d<rgba32uint, write>;

fn weight(index: u32) -> i32 {
  let bits = parameter[2].x;
  let first = index * bits;
  let word = parameter[0].x + first / 32u;
  let texel = textureLoad(packed, vec2<u32>(word & ${mask}u, word >> ${WEIGHT_TEXTURE_SHIFT}u), 0).x;
  let value = extractBits(bitcast<i32>(texel), first % 32u, bits);
  // One sign-extended bit is 0 or -1.
  return select(value, 1 + 2 * value, bits == 1u);
}

@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let index = id.y * ${ROW_TEXELS}u + id.x;
  if (index >= parameter[0].w) { return; }
  let kernel = parameter[1].y;
  let ky = index % kernel;
  let kx = index / kernel % kernel;
  let words_per_texel = parameter[2].y;
  let columns = (parameter[1].x + words_per_texel - 1u) / words_per_texel;
  let column = index / (kernel * kernel) % columns;
  let group = index / (kernel * kernel * columns);
  let end = min((column + 1u) * words_per_texel, parameter[1].x);
  var texel = vec4<u32>();
  for (var k = 0u; k < 4u; k++) {
    let out_channel = group * 4u + k;
    if (out_channel >= parameter[1].w) { break; }
    let row = ((out_channel * kernel + ky) * kernel + kx) * parameter[1].z;
    var slot = 0u;
    for (var word = column * words_per_texel; word < end; word++) {
      let entry = word_map[parameter[0].z + word];
      for (var j = 0u; j < (entry >> 16u); j++) {
        let value = bitcast<u32>(weight(row + (entry & 0xffffu) + j));
        // A byte of the only word, or the sign.
        texel[k] |= select((value & 255u) << (8u * j), (value >> 31u) << (slot + j), words_per_texel > 1u);
      }
      slot += 4u;
    }
  }
  let at = parameter[0].y + index;
  textureStore(unpacked, vec2<u32>(at & ${mask}u, at >> ${WEIGHT_TEXTURE_SHIFT}u), texel);
}
`;
}

function dispatch({ weight, packedBase, texelBase, mapBase, words, form }: UnpackParams): {
  readonly workgroups: Workgroups;
  readonly uniforms: readonly number[];
} {
  const texels = texelCount(weight, words, form);
  return {
    workgroups: [
      Math.min(Math.ceil(texels / INVOCATIONS), ROW_TEXELS / INVOCATIONS),
      Math.ceil(texels / ROW_TEXELS),
      1,
    ],
    uniforms: [
      ...[packedBase, texelBase, mapBase, texels],
      ...[words, weight.kernel, weight.inChannels, weight.outChannels],
      ...[BITS[weight.encoding], WORDS_PER_TEXEL[form]],
    ],
  };
}
