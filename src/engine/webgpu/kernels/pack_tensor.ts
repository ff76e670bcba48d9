/**
 * Int32 tensor [h, w, 3] of 0..255 to the image that convolutions read:
 *
 *   image[p] = t[3p] | t[3p + 1] << 8 | t[3p + 2] << 16
 *
 * Values outside 0..255 are clamped.
 */
import type { Shape } from '../../../model/types';
import type { Workgroups } from './kernel';

const INVOCATIONS = 64;

export const packTensor = { name: 'pack_tensor', wgsl, dispatch, bindings } as const;

function bindings(): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  return [
    { binding: 0, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 1, visibility, buffer: { type: 'storage' } },
  ];
}

/** Width of the image is part of the text: a model has one. */
function wgsl([height, width]: Shape): string {
  return `
@group(0) @binding(0) var<storage, read> tensor: array<i32>;
@group(0) @binding(1) var<storage, read_write> image: array<u32>;

@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= ${width}u || id.y >= ${height}u) { return; }
  let pixel = id.y * ${width}u + id.x;
  let rgb = vec3<i32>(tensor[3u * pixel], tensor[3u * pixel + 1u], tensor[3u * pixel + 2u]);
  let bytes = vec3<u32>(clamp(rgb, vec3<i32>(0), vec3<i32>(255)));
  image[pixel] = bytes.r | (bytes.g << 8u) | (bytes.b << 16u);
}
`;
}

function dispatch([height, width]: Shape): Workgroups {
  return [Math.ceil(width / INVOCATIONS), height, 1];
}
