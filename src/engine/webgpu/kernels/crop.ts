/**
 * Crops a rotated square out of the frame (models/README.md section 5): for each crop pixel the mean of taps x taps
 * fixed-point bilinear samples, in integers. One invocation makes one pixel of the image: bytes r, g, b, 0.
 */
import type { CropAffine } from '../../backend';
import type { Shape } from '../../../model/types';
import type { Workgroups } from './kernel';

export interface CropParams {
  /** Frame size in pixels. */
  readonly width: number;
  readonly height: number;
  readonly affine: CropAffine;
  readonly taps: number;
}

const SIDE = 8;

/** Words of a request. */
const REQUEST_WORDS = 12;

export const crop = { name: 'crop', wgsl, workgroups, request, bindings, REQUEST_WORDS } as const;

function bindings(): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  return [
    { binding: 0, visibility, texture: { sampleType: 'uint' } },
    { binding: 1, visibility, buffer: { type: 'uniform' } },
    { binding: 2, visibility, buffer: { type: 'storage' } },
  ];
}

function wgsl(): string {
  return `
@group(0) @binding(0) var frame: texture_2d<u32>;
// request[0]: x0, y0, ux, uy; request[1]: vx, vy, taps, -; request[2]: frame width, height, crop width, height
@group(0) @binding(1) var<uniform> request: array<vec4<i32>, 3>;
@group(0) @binding(2) var<storage, read_write> image: array<u32>;

fn corner(position: vec2<i32>) -> vec3<i32> {
  let inside = clamp(position, vec2<i32>(0), request[2].xy - 1);
  return vec3<i32>(textureLoad(frame, inside, 0).rgb);
}

fn sample(position: vec2<i32>) -> vec3<i32> {
  let p = position >> vec2<u32>(16u);
  let f = (position >> vec2<u32>(8u)) & vec2<i32>(255);
  let top = corner(p) * (256 - f.x) + corner(p + vec2<i32>(1, 0)) * f.x;
  let bottom = corner(p + vec2<i32>(0, 1)) * (256 - f.x) + corner(p + vec2<i32>(1, 1)) * f.x;
  return (top * (256 - f.y) + bottom * f.y + 32768) >> vec3<u32>(16u);
}

@compute @workgroup_size(${SIDE}, ${SIDE})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let at = vec2<i32>(id.xy);
  if (at.x >= request[2].z || at.y >= request[2].w) { return; }
  let u = request[0].zw;
  let v = request[1].xy;
  let taps = request[1].z;
  let center = request[0].xy + at.x * u + at.y * v;
  var sum = vec3<i32>();
  for (var b = 0; b < taps; b++) {
    for (var a = 0; a < taps; a++) {
      // Integer division of WGSL truncates towards zero, as the contract asks.
      sum += sample(center + ((2 * a + 1 - taps) * u) / (2 * taps) + ((2 * b + 1 - taps) * v) / (2 * taps));
    }
  }
  let count = taps * taps;
  let c = vec3<u32>((sum + (count >> 1u)) / count);
  image[at.y * request[2].z + at.x] = c.r | (c.g << 8u) | (c.b << 16u);
}
`;
}

function workgroups([cropHeight, cropWidth]: Shape): Workgroups {
  return [Math.ceil(cropWidth / SIDE), Math.ceil(cropHeight / SIDE), 1];
}

/** Writes a request into `words`, which a stream of frames uses again and again. */
function request(
  words: Int32Array,
  { width, height, affine, taps }: CropParams,
  [cropHeight, cropWidth]: Shape,
): void {
  words.set(affine);
  words[6] = taps;
  words[8] = width;
  words[9] = height;
  words[10] = cropWidth;
  words[11] = cropHeight;
}
