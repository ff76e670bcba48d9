/**
 * Uploads a model's packed weights as a texture, unpacks them there into the texture that convolutions read, and drops the
 * packed one. Knows nothing of steps or frames.
 */
import { BitmarksError } from '../../errors';
import { UNIFORM_SLOT_BYTES, uniformSlots } from './uniform_slots';
import type { GpuMemory } from './gpu_memory';
import { WEIGHT_TEXTURE_SHIFT } from './kernels/kernel';
import { unpackWeights } from './kernels/unpack_weights';
import type { ModelLayout } from './model_layout';
import type { PipelineCache } from './pipeline_cache';

/** Texels of a row of both textures. */
const WIDTH = 2 ** WEIGHT_TEXTURE_SHIFT;
const TEXEL_BYTES = 16;

/** Unpacked weights, as unpack_weights leaves them. */
export interface Weights {
  /** rgba32uint */
  readonly texture: GPUTexture;
  /** The same texels; null where nobody asked for it. */
  readonly buffer: GPUBuffer | null;
  /** Of both. */
  readonly bytes: number;
}

/**
 * The weights in a texture, and if `inBuffer` in a storage buffer too. The GPU unpacks while the caller goes on.
 * Throws 'backend/failed' if the weights need more rows than a texture has here.
 */
export async function uploadWeights(
  memory: GpuMemory,
  pipelines: PipelineCache,
  layout: ModelLayout,
  inBuffer: boolean,
): Promise<Weights> {
  const { device } = memory;
  const bindGroupLayout = device.createBindGroupLayout({
    label: unpackWeights.name,
    entries: unpackWeights.bindings(),
  });
  const pipeline = await pipelines.get(
    unpackWeights.name,
    unpackWeights.wgsl(),
    device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
  );
  const packed = memory.texture(
    'packed weights',
    textureSize(layout.packed.length / 4, device.limits),
    'r32uint',
    GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
  );
  const unpacked = memory.texture(
    'weights',
    textureSize(layout.texels, device.limits),
    'rgba32uint',
    GPUTextureUsage.TEXTURE_BINDING |
      GPUTextureUsage.STORAGE_BINDING |
      (inBuffer ? GPUTextureUsage.COPY_SRC : 0),
  );
  writeRows(device, packed, layout.packed);
  const dispatches = layout.unpacks.map((params) => unpackWeights.dispatch(params));
  const wordMap = memory.filledBuffer('word map', layout.wordMap);
  const uniforms = memory.buffer(
    'unpack parameters',
    dispatches.length * UNIFORM_SLOT_BYTES,
    GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  );
  device.queue.writeBuffer(uniforms, 0, uniformSlots(dispatches.map((d) => d.uniforms)));
  const bindGroup = device.createBindGroup({
    layout: bindGroupLayout,
    entries: [
      { binding: 0, resource: packed.createView() },
      { binding: 1, resource: { buffer: wordMap } },
      { binding: 2, resource: { buffer: uniforms, size: UNIFORM_SLOT_BYTES } },
      { binding: 3, resource: unpacked.createView() },
    ],
  });
  const encoder = device.createCommandEncoder({ label: unpackWeights.name });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  dispatches.forEach(({ workgroups }, index) => {
    pass.setBindGroup(0, bindGroup, [index * UNIFORM_SLOT_BYTES]);
    pass.dispatchWorkgroups(...workgroups);
  });
  pass.end();
  const bytes = unpacked.width * unpacked.height * TEXEL_BYTES;
  const buffer = inBuffer
    ? memory.buffer('weights', bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST)
    : null;
  if (buffer !== null) {
    encoder.copyTextureToBuffer(
      { texture: unpacked },
      { buffer, bytesPerRow: WIDTH * TEXEL_BYTES },
      [unpacked.width, unpacked.height],
    );
  }
  device.queue.submit([encoder.finish()]);
  // Work already submitted keeps what it uses.
  for (const resource of [packed, wordMap, uniforms]) memory.destroy(resource);
  return { texture: unpacked, buffer, bytes: buffer === null ? bytes : 2 * bytes };
}

/** Rows of WIDTH texels that hold `texels`. */
function textureSize(
  texels: number,
  { maxTextureDimension2D }: GPUSupportedLimits,
): { width: number; height: number } {
  const height = Math.max(1, Math.ceil(texels / WIDTH));
  if (height > maxTextureDimension2D) {
    throw new BitmarksError(
      'backend/failed',
      `the weights need a texture of ${height} rows of ${WIDTH}, this GPU allows ${maxTextureDimension2D}`,
    );
  }
  return { width: WIDTH, height };
}

function writeRows(device: GPUDevice, texture: GPUTexture, bytes: Uint8Array<ArrayBuffer>): void {
  // The last row may be partly empty; a write must bring all of it.
  const rowBytes = WIDTH * 4;
  const rows = new Uint8Array(texture.height * rowBytes);
  rows.set(bytes);
  device.queue.writeTexture({ texture }, rows, { bytesPerRow: rowBytes }, [WIDTH, texture.height]);
}
