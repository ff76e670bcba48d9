/**
 * Sums over heatmaps for decoding (src/model/heatmap_sums.ts): for each channel, with W[n] the weight of a value n below the peak,
 *
 *   cell = first largest     total = sum of W     mass, x, y = sums of W, W * dx, W * dy over the window
 *
 * A workgroup sums a channel. A weight has 48 bits: it is added in three chunks of 16, each of which 32 bits hold exactly.
 */
import type { SoftmaxCodec, Shape } from '../../../model/types';
import { KernelRefusal, type Workgroups } from './kernel';

export interface SumParams {
  /** [h, w, landmarks] */
  readonly shape: Shape;
  /** First word of the heatmaps in the features buffer. */
  readonly base: number;
  readonly window: number;
  /** Entries of the table of weights. */
  readonly length: number;
}

/** Words of a channel in the result: the cell, then three chunks, low first, of total, mass, x and y. */
export const SUM_WORDS = 13;

const INVOCATIONS = 64;
/** Chunks of 65,535 that a signed word holds. */
const MAX_CELLS = 32768;

export const sumHeatmaps = { name: 'sum_heatmaps', supports, wgsl, dispatch, bindings } as const;

function supports(
  codec: SoftmaxCodec | null,
  [height, width]: Shape,
): SoftmaxCodec | KernelRefusal {
  if (codec === null) return new KernelRefusal('the codec is not softmax');
  if (height * width <= MAX_CELLS) return codec;
  return new KernelRefusal(`a heatmap has ${height * width} cells, expected at most ${MAX_CELLS}`);
}

function bindings(): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  return [
    { binding: 0, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 1, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 2, visibility, buffer: { type: 'uniform' } },
    { binding: 3, visibility, buffer: { type: 'storage' } },
  ];
}

function wgsl(): string {
  return `
struct Request { width: i32, height: i32, base: i32, length: i32, reach: i32 }
@group(0) @binding(0) var<storage, read> features: array<u32>;
// W in two words: bits 16 and up, bits 0 to 15.
@group(0) @binding(1) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(2) var<uniform> request: Request;
@group(0) @binding(3) var<storage, read_write> sums: array<i32>;

// The largest value in the upper half, 65535 - cell in the lower: of equal values the first cell is the largest key.
var<workgroup> peak: atomic<u32>;
var<workgroup> chunks: array<atomic<i32>, 12>;

fn value_at(channel: u32, cell: i32) -> i32 {
  let plane = u32(request.width * request.height);
  let word = bitcast<i32>(features[u32(request.base) + (channel >> 1u) * plane + u32(cell)]);
  return (word << (16u * (1u - (channel & 1u)))) >> 16u;
}

@compute @workgroup_size(${INVOCATIONS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let channel = group.x;
  let cells = request.width * request.height;
  var best = 0u;
  for (var cell = i32(index); cell < cells; cell += ${INVOCATIONS}) {
    best = max(best, (u32(value_at(channel, cell) + 32768) << 16u) | u32(65535 - cell));
  }
  atomicMax(&peak, best);
  workgroupBarrier();
  let key = atomicLoad(&peak);
  let top = i32(key >> 16u) - 32768;
  let peak_cell = 65535 - i32(key & 0xffffu);
  let peak_x = peak_cell % request.width;
  let peak_y = peak_cell / request.width;
  var total = vec3<i32>();
  var mass = vec3<i32>();
  var x = vec3<i32>();
  var y = vec3<i32>();
  for (var cell = i32(index); cell < cells; cell += ${INVOCATIONS}) {
    let below = top - value_at(channel, cell);
    if (below < request.length) {
      let weight = table[below];
      let w = vec3<i32>(vec3<u32>(weight.y, weight.x & 0xffffu, weight.x >> 16u));
      total += w;
      let dx = cell % request.width - peak_x;
      let dy = cell / request.width - peak_y;
      if (max(abs(dx), abs(dy)) <= request.reach) {
        mass += w;
        x += w * dx;
        y += w * dy;
      }
    }
  }
  if (total.z != 0 || total.y != 0 || total.x != 0) {
    for (var i = 0u; i < 3u; i++) {
      atomicAdd(&chunks[i], total[i]);
      atomicAdd(&chunks[i + 3u], mass[i]);
      atomicAdd(&chunks[i + 6u], x[i]);
      atomicAdd(&chunks[i + 9u], y[i]);
    }
  }
  workgroupBarrier();
  if (index < 12u) { sums[channel * ${SUM_WORDS}u + 1u + index] = atomicLoad(&chunks[index]); }
  if (index == 12u) { sums[channel * ${SUM_WORDS}u] = peak_cell; }
}
`;
}

function dispatch({ shape, base, window, length }: SumParams): {
  readonly workgroups: Workgroups;
  readonly uniforms: Int32Array<ArrayBuffer>;
} {
  const [height, width, channels] = shape;
  return {
    workgroups: [channels, 1, 1],
    uniforms: Int32Array.of(width, height, base, length, (window - 1) / 2, 0, 0, 0),
  };
}
