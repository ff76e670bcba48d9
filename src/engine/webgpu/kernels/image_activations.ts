/**
 * Activations of the image, the first stage of a convolution that reads it:
 *
 *   q = byte >> inputShift     0 in the padding
 *
 * An invocation makes one word: the three channels of one pixel.
 */
import type { ConvStep } from '../../planner';
import { activationPlanes } from './activation_planes';
import {
  KernelRefusal,
  stepPrelude,
  uniformValues,
  type StepDispatch,
  type StepKernel,
} from './kernel';

const INVOCATIONS = 64;
const FIELDS = [
  ...['plane_width', 'plane_height', 'pad', 'height', 'width'],
  ...['byte_mask', 'input_shift'],
] as const;

export const imageActivations: StepKernel<ConvStep, null> = {
  supports: ({ source }) =>
    source.kind === 'image' ? null : new KernelRefusal('it reads features, which need a norm'),
  name: () => 'image_activations',
  wgsl,
  dispatch,
};

function wgsl(): string {
  return `${stepPrelude(FIELDS)}
@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let plane_width = u32(step.plane_width);
  if (id.x >= plane_width * u32(step.plane_height)) { return; }
  let y = i32(id.x / plane_width) - step.pad;
  let x = i32(id.x % plane_width) - step.pad;
  var word = 0u;
  if (y >= 0 && y < step.height && x >= 0 && x < step.width) {
    word = (image[u32(y * step.width + x)] >> u32(step.input_shift)) & u32(step.byte_mask);
  }
  activations[id.x] = word;
}
`;
}

function dispatch(step: ConvStep): StepDispatch {
  const planes = activationPlanes(step, 'bytes');
  const [height, width] = step.inputShape;
  const shift = step.source.kind === 'image' ? step.source.inputShift : 0;
  return {
    workgroups: [Math.ceil((planes.width * planes.height) / INVOCATIONS), 1, 1],
    uniforms: uniformValues(FIELDS, {
      plane_width: planes.width,
      plane_height: planes.height,
      pad: planes.pad,
      height,
      width,
      // Keeps the bits of each byte that the shift of the whole word did not bring in from the next byte.
      byte_mask: 0x01010101 * (255 >> shift),
      input_shift: shift,
    }),
  };
}
