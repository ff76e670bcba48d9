/**
 * Requantisation of a concatenation, the first stage of a convolution. For each input pixel and channel c:
 *
 *   q = clamp(sat16(((x16 * m[c] + 2^14) >> 15) + b[c]) >> s, 0, qmax)     0 in the padding
 *
 * An invocation makes one word: four channels of one pixel. Upsampled parts are read at (y >> 1, x >> 1).
 *
 * A stage of its own rather than a prologue in workgroup memory: each activation is requantised once instead of once per
 * workgroup that reads it, convolutions that share a norm share the result, and on SwiftShader, which runs each barrier as
 * coroutines and clears workgroup memory word by word, it is several times faster.
 */
import { maxActivation } from '../../../model/graph';
import type { ConvStep } from '../../planner';
import { channelWordCount } from '../channel_words';
import { activationPlanes } from './activation_planes';
import {
  KernelRefusal,
  stepPrelude,
  uniformValues,
  type OperandForm,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';

export const REQUANTIZE_INVOCATIONS = 64;
export const REQUANTIZE_FIELDS = [
  ...['plane_width', 'plane_height', 'pad', 'height', 'width', 'words'],
  ...['table_base', 'qmax', 'norm_shift'],
] as const;

export const requantize: StepKernel<ConvStep, null> = {
  supports: readsParts,
  name: () => 'requantize',
  wgsl,
  dispatch,
};

export function readsParts({ source }: ConvStep): null | KernelRefusal {
  if (source.kind === 'parts') return null;
  return new KernelRefusal('it reads the image, which needs no norm');
}

function wgsl(): string {
  return `${stepPrelude(REQUANTIZE_FIELDS)}${LOAD_TEXT}
@compute @workgroup_size(${REQUANTIZE_INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
${PIXEL_TEXT}
  var word = 0u;
  if (y >= 0 && y < step.height && x >= 0 && x < step.width) {
    word = load(u32(step.table_base) + id.y * 2u, u32(y), u32(x));
  }
  activations[id.y * plane_size + id.x] = word;
}
`;
}

/** From the number of an invocation: the padded plane, and the pixel (y, x) of the input, which may lie in the padding. */
export const PIXEL_TEXT = `  let plane_width = u32(step.plane_width);
  let plane_size = plane_width * u32(step.plane_height);
  if (id.x >= plane_size) { return; }
  let y = i32(id.x / plane_width) - step.pad;
  let x = i32(id.x % plane_width) - step.pad;`;

/** `load(entry, y, x)`: four activations, a byte each, of the word that an entry of the table describes. */
export const LOAD_TEXT = `
fn load(entry: u32, y: u32, x: u32) -> u32 {
  // First word, words to the second pair of channels, width, upsampling.
  let place = table[entry];
  let norm = bitcast<vec4<i32>>(table[entry + 1u]);
  let multiplier = (norm << vec4<u32>(16u)) >> vec4<u32>(16u);
  let bias = norm >> vec4<u32>(16u);
  let at = place.x + (y >> place.w) * place.z + (x >> place.w);
  let pairs = bitcast<vec2<i32>>(vec2<u32>(features[at], features[at + place.y]));
  let value = (pairs.xxyy << vec4<u32>(16u, 0u, 16u, 0u)) >> vec4<u32>(16u);
  let scaled = ((value * multiplier + 16384) >> vec4<u32>(15u)) + bias;
  let z = clamp(scaled, vec4<i32>(-32768), vec4<i32>(32767)) >> vec4<u32>(u32(step.norm_shift));
  let q = bitcast<vec4<u32>>(clamp(z, vec4<i32>(0), vec4<i32>(step.qmax)));
  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);
}
`;

function dispatch(step: ConvStep, _params: null, placement: StepPlacement): StepDispatch {
  return requantizeDispatch(step, placement, 'bytes');
}

/** Dispatch of a kernel whose invocations make a pixel of a group of channels. */
export function requantizeDispatch(
  step: ConvStep,
  placement: StepPlacement,
  form: OperandForm,
): StepDispatch {
  const planes = activationPlanes(step, form);
  const [height, width] = step.inputShape;
  return {
    workgroups: [
      Math.ceil((planes.width * planes.height) / REQUANTIZE_INVOCATIONS),
      planes.words,
      1,
    ],
    uniforms: uniformValues(REQUANTIZE_FIELDS, {
      plane_width: planes.width,
      plane_height: planes.height,
      pad: planes.pad,
      height,
      width,
      words: channelWordCount(step),
      table_base: placement.tableBase,
      qmax: step.source.kind === 'parts' ? maxActivation(step.source.inputBits) : 0,
      norm_shift: placement.normShift,
    }),
  };
}
