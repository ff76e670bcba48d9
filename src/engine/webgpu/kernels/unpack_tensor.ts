/**
 * 16-bit feature, planes of two channels, to an int32 tensor [h, w, c]:
 *
 *   t[p * c + k] = sign-extended half (k & 1) of word p of plane k >> 1, for pixel p
 */
import type { Shape } from '../../../model/types';
import type { Workgroups } from './kernel';

const INVOCATIONS = 128;

export const unpackTensor = { name: 'unpack_tensor', wgsl, dispatch, bindings } as const;

function bindings(): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  return [
    { binding: 0, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 1, visibility, buffer: { type: 'storage' } },
  ];
}

/** Shape and place of the output are part of the text: a model has one. `base` counts 32-bit words. */
function wgsl([height, width, channels]: Shape, base: number): string {
  const row = width * channels;
  return `
@group(0) @binding(0) var<storage, read> features: array<u32>;
@group(0) @binding(1) var<storage, read_write> tensor: array<i32>;

@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= ${row}u) { return; }
  let pixel = id.y * ${width}u + id.x / ${channels}u;
  let channel = id.x % ${channels}u;
  let word = bitcast<i32>(features[${base}u + (channel >> 1u) * ${height * width}u + pixel]);
  tensor[id.y * ${row}u + id.x] = (word << (16u * (1u - (channel & 1u)))) >> 16u;
}
`;
}

function dispatch([height, width, channels]: Shape): Workgroups {
  return [Math.ceil((width * channels) / INVOCATIONS), height, 1];
}
