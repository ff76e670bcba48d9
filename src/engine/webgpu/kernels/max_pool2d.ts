/**
 * Max-pool 2x2, stride 2, on 16-bit features:
 *
 *   out[y, x, c] = max(in[2y, 2x, c], in[2y, 2x+1, c], in[2y+1, 2x, c], in[2y+1, 2x+1, c])
 *
 * An invocation makes one word: two channels of one pixel.
 */
import type { MaxPoolStep } from '../../planner';
import {
  channelPairs,
  stepPrelude,
  uniformValues,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';

const INVOCATIONS = 64;
const FIELDS = ['input_base', 'output_base', 'width', 'height'] as const;

export const maxPool2d: StepKernel<MaxPoolStep, null> = {
  supports: () => null,
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
  let width = u32(step.width);
  let plane = width * u32(step.height);
  if (id.x >= plane) { return; }
  // A plane of the input is four of the output, its rows are twice as long.
  let top = u32(step.input_base) + id.y * 4u * plane + id.x / width * 4u * width + id.x % width * 2u;
  let bottom = top + 2u * width;
  let largest = max(max(pair(top), pair(top + 1u)), max(pair(bottom), pair(bottom + 1u)));
  let bits = bitcast<vec2<u32>>(largest);
  features[u32(step.output_base) + id.y * plane + id.x] = (bits.x & 0xffffu) | (bits.y << 16u);
}
`;
}

function dispatch(step: MaxPoolStep, _params: null, placement: StepPlacement): StepDispatch {
  const [height, width, channels] = step.outputShape;
  return {
    workgroups: [Math.ceil((width * height) / INVOCATIONS), channelPairs(channels), 1],
    uniforms: uniformValues(FIELDS, {
      input_base: placement.featureBase(step.inputTensor),
      output_base: placement.outputBase,
      width,
      height,
    }),
  };
}
