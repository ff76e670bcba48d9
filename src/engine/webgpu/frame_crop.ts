/**
 * Records the crop of a frame: the crop request, and the bindings of the texture that holds the frame (frame_textures.ts).
 */
import type { Shape } from '../../model/types';
import type { EngineInput } from '../backend';
import type { FrameTextures } from './frame_textures';
import type { GpuMemory } from './gpu_memory';
import { crop } from './kernels/crop';
import type { Workgroups } from './kernels/kernel';
import type { WebgpuContext } from './webgpu_context';

type FrameInput = Extract<EngineInput, { kind: 'frame' }>;

export class FrameCrop {
  private readonly memory: GpuMemory;
  private readonly pipeline: GPUComputePipeline;
  private readonly layout: GPUBindGroupLayout;
  private readonly request: GPUBuffer;
  private readonly image: GPUBuffer;
  private readonly outputShape: Shape;
  private readonly frames: FrameTextures;
  private readonly bindGroups = new WeakMap<GPUTexture, GPUBindGroup>();
  private bindGroup: GPUBindGroup | null = null;
  private readonly workgroups: Workgroups;
  private readonly words = new Int32Array(crop.REQUEST_WORDS);

  private constructor(
    memory: GpuMemory,
    frames: FrameTextures,
    pipeline: GPUComputePipeline,
    layout: GPUBindGroupLayout,
    image: GPUBuffer,
    outputShape: Shape,
  ) {
    this.memory = memory;
    this.frames = frames;
    this.pipeline = pipeline;
    this.layout = layout;
    this.image = image;
    this.outputShape = outputShape;
    this.workgroups = crop.workgroups(outputShape);
    this.request = memory.buffer(
      'crop request',
      crop.REQUEST_WORDS * 4,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
  }

  /** Writes crops of `outputShape` into `image`. */
  static async create(
    memory: GpuMemory,
    { pipelines, frames }: Pick<WebgpuContext, 'pipelines' | 'frames'>,
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
    return new FrameCrop(memory, frames, pipeline, layout, image, outputShape);
  }

  /** Sends a crop request, which the session has checked, and the frame unless the device holds it. */
  upload(input: FrameInput): void {
    this.bindGroup = this.bind(this.frames.take(input));
    crop.request(this.words, input, this.outputShape);
    this.memory.device.queue.writeBuffer(this.request, 0, this.words);
  }

  /** Records the crop of the last uploaded frame. */
  encode(pass: GPUComputePassEncoder): void {
    if (this.bindGroup === null) return;
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.bindGroup);
    pass.dispatchWorkgroups(this.workgroups[0], this.workgroups[1], this.workgroups[2]);
  }

  /** A group for each texture, so that frames in turn make none. */
  private bind(texture: GPUTexture): GPUBindGroup {
    const known = this.bindGroups.get(texture);
    if (known !== undefined) return known;
    const bindGroup = this.memory.device.createBindGroup({
      layout: this.layout,
      entries: [
        { binding: 0, resource: texture.createView() },
        { binding: 1, resource: { buffer: this.request } },
        { binding: 2, resource: { buffer: this.image } },
      ],
    });
    this.bindGroups.set(texture, bindGroup);
    return bindGroup;
  }
}
