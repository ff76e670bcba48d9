/**
 * Max-pool 2x2, stride 2, on 16-bit features:
 *
 *   out[y, x, c] = max(in[2y, 2x, c], in[2y, 2x+1, c], in[2y+1, 2x, c], in[2y+1, 2x+1, c])
 *
 * An invocation makes one word: two channels of one pixel.
 */
import type { MaxPoolStep } from '../../planner';
import {
  pixelWords,
  stepPrelude,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';

type MaxPoolParams = Readonly<Record<string, never>>;

const INVOCATIONS = 64;
/** Bases and sizes in words of the features buffer. */
const FIELDS = ['input_base', 'output_base', 'pixel_words', 'output_width'] as const;

export const maxPool2d: StepKernel<MaxPoolStep, MaxPoolParams> = {
  supports: () => ({}),
  name: () => 'max_pool2d',
  wgsl,
  dispatch,
};

function wgsl(): string {
  return `${stepPrelude(FIELDS)}
fn pair(at: u32) -> vec2<i32> {
  let word = bitcast<i32>(features[at]);
  return vec2<i32>((word << 16u) >> 16u, word >> 16u);
}

@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let pixel_words = u32(step.pixel_words);
  let row_words = pixel_words * u32(step.output_width);
  if (id.x >= row_words) { return; }
  let column = id.x / pixel_words * 2u * pixel_words + id.x % pixel_words;
  let top = u32(step.input_base) + id.y * 4u * row_words + column;
  let bottom = top + 2u * row_words;
  let largest = max(max(pair(top), pair(top + pixel_words)), max(pair(bottom), pair(bottom + pixel_words)));
  let bits = bitcast<vec2<u32>>(largest);
  features[u32(step.output_base) + id.y * row_words + id.x] = (bits.x & 0xffffu) | (bits.y << 16u);
}
`;
}

function dispatch(
  step: MaxPoolStep,
  _params: MaxPoolParams,
  placement: StepPlacement,
): StepDispatch {
  const [height, width, channels] = step.outputShape;
  const words = pixelWords(channels);
  return {
    workgroups: [Math.ceil((width * words) / INVOCATIONS), height, 1],
    uniforms: [
      placement.featureBase(step.inputBuffer),
      placement.featureBase(step.outputBuffer),
      words,
      width,
    ],
  };
}
