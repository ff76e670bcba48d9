/**
 * Brings frames to the GPU and records their crop: the frame texture, the crop request and their bindings. The texture is
 * kept and grows with the largest frame.
 */
import type { Shape } from '../../model/types';
import type { EngineInput } from '../backend';
import type { GpuMemory } from './gpu_memory';
import { crop } from './kernels/crop';
import type { Workgroups } from './kernels/kernel';
import type { PipelineCache } from './pipeline_cache';

type FrameInput = Extract<EngineInput, { kind: 'frame' }>;

export class FrameCrop {
  private readonly memory: GpuMemory;
  private readonly pipeline: GPUComputePipeline;
  private readonly layout: GPUBindGroupLayout;
  private readonly request: GPUBuffer;
  private readonly image: GPUBuffer;
  private readonly outputShape: Shape;
  private bound: { readonly texture: GPUTexture; readonly bindGroup: GPUBindGroup } | null = null;
  private workgroups: Workgroups = [0, 0, 0];

  private constructor(
    memory: GpuMemory,
    pipeline: GPUComputePipeline,
    layout: GPUBindGroupLayout,
    image: GPUBuffer,
    outputShape: Shape,
  ) {
    this.memory = memory;
    this.pipeline = pipeline;
    this.layout = layout;
    this.image = image;
    this.outputShape = outputShape;
    this.request = memory.buffer(
      'crop request',
      48,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
  }

  /** Writes crops of `outputShape` into `image`. */
  static async create(
    memory: GpuMemory,
    pipelines: PipelineCache,
    image: GPUBuffer,
    outputShape: Shape,
  ): Promise<FrameCrop> {
    const layout = memory.device.createBindGroupLayout({
      label: crop.name,
      entries: crop.bindings(),
    });
    const pipeline = await pipelines.get(
      crop.name,
      crop.wgsl(),
      memory.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    );
    return new FrameCrop(memory, pipeline, layout, image, outputShape);
  }

  /** Sends a frame and its crop request, which the session has checked. */
  upload({ data, width, height, affine, taps }: FrameInput): void {
    const { queue } = this.memory.device;
    const { texture } = this.bind(width, height);
    queue.writeTexture({ texture }, data, { bytesPerRow: width * 4 }, [width, height]);
    const { workgroups, uniforms } = crop.dispatch({
      width,
      height,
      affine,
      taps,
      outputShape: this.outputShape,
    });
    queue.writeBuffer(this.request, 0, uniforms);
    this.workgroups = workgroups;
  }

  /** Records the crop of the last uploaded frame. */
  encode(pass: GPUComputePassEncoder): void {
    if (this.bound === null) return;
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.bound.bindGroup);
    pass.dispatchWorkgroups(...this.workgroups);
  }

  private bind(width: number, height: number): { texture: GPUTexture } {
    const old = this.bound?.texture;
    if (
      this.bound !== null &&
      this.bound.texture.width >= width &&
      this.bound.texture.height >= height
    )
      return this.bound;
    if (old !== undefined) this.memory.destroy(old);
    const texture = this.memory.texture(
      'frame',
      { width: Math.max(width, old?.width ?? 0), height: Math.max(height, old?.height ?? 0) },
      'rgba8uint',
      GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    );
    const bindGroup = this.memory.device.createBindGroup({
      layout: this.layout,
      entries: [
        { binding: 0, resource: texture.createView() },
        { binding: 1, resource: { buffer: this.request } },
        { binding: 2, resource: { buffer: this.image } },
      ],
    });
    this.bound = { texture, bindGroup };
    return this.bound;
  }
}
