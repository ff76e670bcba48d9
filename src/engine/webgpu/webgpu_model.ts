/**
 * A model compiled for one GPU device: its buffers, textures, pipelines and bindings, and the recording of a frame. A frame
 * is one submission and one read-back; everything it binds was made when the model was compiled.
 */
import { BitmarksError } from '../../errors';
import type { HeatmapSums } from '../../model/heatmap_sums';
import type { Model, Shape } from '../../model/types';
import type { CompiledModel, EngineInput, Heatmaps } from '../backend';
import type { Plan } from '../planner';
import type { FrameCrop } from './frame_crop';
import { GpuMemory } from './gpu_memory';
import type { HeatmapSummer } from './heatmap_summer';
import { channelPairs } from './kernels/kernel';
import { buildParts, imageWords, type ModelParts, type StepCommand } from './model_parts';
import { ReadBackPool } from './read_back';
import type { WebgpuContext } from './webgpu_context';

const FRAME: GPUCommandEncoderDescriptor = { label: 'frame' };

export class WebgpuModel implements CompiledModel {
  readonly kernels: readonly string[];
  readonly runSums?: (input: EngineInput) => Promise<HeatmapSums>;
  readonly bytes: CompiledModel['bytes'];
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Planes of two 16-bit channels a word; the output begins at word `outputBase`. */
  readonly features: GPUBuffer;
  readonly outputBase: number;
  /** The crop, one word a pixel: bytes r, g, b, 0. */
  readonly image: GPUBuffer;
  readonly memory: GpuMemory;
  readonly context: WebgpuContext;
  private readonly commands: readonly StepCommand[];
  private readonly bindGroup: GPUBindGroup;
  /** Of the uniforms of each command. */
  private readonly offsets: Uint32Array<ArrayBuffer>;
  private readonly crop: FrameCrop;
  private readonly heatmapReads: ReadBackPool;
  private readonly cropReads: ReadBackPool;
  private readonly sumReads: ReadBackPool;
  /** A crop on its way to `image`. */
  private readonly padded: Uint8Array<ArrayBuffer>;
  private readonly onClose: (model: WebgpuModel) => void;
  private hasCrop = false;
  private closed = false;

  private constructor(
    context: WebgpuContext,
    plan: Plan,
    parts: ModelParts,
    onClose: (model: WebgpuModel) => void,
  ) {
    this.context = context;
    this.onClose = onClose;
    this.inputShape = plan.inputShape;
    this.outputShape = plan.outputShape;
    this.memory = parts.memory;
    this.kernels = parts.kernels;
    this.bytes = parts.bytes;
    this.commands = parts.commands;
    this.bindGroup = parts.bindGroup;
    this.offsets = Uint32Array.from(parts.commands, ({ uniformOffset }) => uniformOffset);
    this.crop = parts.crop;
    this.features = parts.features;
    this.image = parts.image;
    this.outputBase = parts.outputBase;
    this.heatmapReads = new ReadBackPool(this.memory, outputWords(plan.outputShape) * 4);
    this.cropReads = new ReadBackPool(this.memory, imageWords(plan.inputShape) * 4);
    this.padded = new Uint8Array(imageWords(plan.inputShape) * 4);
    const { summer } = parts;
    this.sumReads = new ReadBackPool(this.memory, summer?.sizeBytes ?? 0);
    if (summer !== null) this.runSums = (input) => this.runAndSum(summer, input);
  }

  /** Throws 'backend/failed' when a step has no kernel here or the GPU refuses the resources. */
  static async compile(
    context: WebgpuContext,
    model: Model,
    plan: Plan,
    onClose: (model: WebgpuModel) => void,
  ): Promise<WebgpuModel> {
    const memory = new GpuMemory(context.device, context.memory);
    const { device } = context;
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    // Scopes close in any case, also when building throws: they are a stack shared by the whole device.
    const built = await settle(buildParts(context, memory, model, plan));
    const errors = await context.health.guard(() =>
      Promise.all([device.popErrorScope(), device.popErrorScope()]),
    );
    const error = errors.find((found) => found !== null);
    if (built.ok && error === undefined)
      return new WebgpuModel(context, plan, built.value, onClose);
    memory.destroyAll();
    if (!built.ok) throw built.error;
    throw new BitmarksError('backend/failed', `the GPU refused the model: ${error?.message ?? ''}`);
  }

  async run(input: EngineInput): Promise<Heatmaps> {
    const [height, width, channels] = this.outputShape;
    const data = await this.runFrame(input, this.heatmapReads, null, (bytes) =>
      unpackChannels(bytes, this.outputShape),
    );
    return { data, height, width, channels };
  }

  private runAndSum(summer: HeatmapSummer, input: EngineInput): Promise<HeatmapSums> {
    return this.runFrame(input, this.sumReads, summer, (bytes) => summer.decode(bytes));
  }

  /** One submission and one read-back: of the sums if there is a summer, else of the heatmaps. */
  private runFrame<T>(
    input: EngineInput,
    reads: ReadBackPool,
    summer: HeatmapSummer | null,
    take: (bytes: ArrayBuffer) => T,
  ): Promise<T> {
    this.check();
    this.upload(input);
    const { device, counters, health } = this.context;
    const readBack = reads.take();
    const encoder = device.createCommandEncoder(FRAME);
    const pass = encoder.beginComputePass();
    if (input.kind === 'frame') this.crop.encode(pass);
    this.encodeSteps(pass);
    summer?.encode(pass);
    pass.end();
    const [source, offset] =
      summer === null ? [this.features, this.outputBase * 4] : [summer.output, 0];
    encoder.copyBufferToBuffer(source, offset, readBack, 0, reads.sizeBytes);
    device.queue.submit([encoder.finish()]);
    counters.submissions++;
    counters.readBacks++;
    return health.guard(() => this.readOpen(reads, readBack, take));
  }

  async readCrop(): Promise<Uint8Array> {
    this.check();
    if (!this.hasCrop) {
      throw new BitmarksError('backend/failed', 'there is no crop yet; run a frame first');
    }
    const { device, health } = this.context;
    const readBack = this.cropReads.take();
    const encoder = device.createCommandEncoder({ label: 'crop' });
    encoder.copyBufferToBuffer(this.image, 0, readBack, 0, this.cropReads.sizeBytes);
    device.queue.submit([encoder.finish()]);
    return health.guard(() => this.readOpen(this.cropReads, readBack, unpadPixels));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.memory.destroyAll();
    this.onClose(this);
  }

  /** Throws if the model or its device cannot be used any more. */
  check(): void {
    if (this.closed) throw new BitmarksError('closed', 'the compiled model was used after close()');
    this.context.health.check();
  }

  /** Records all steps: from the image to the output in the features buffer. */
  encodeSteps(pass: GPUComputePassEncoder): void {
    let current: GPUComputePipeline | null = null;
    for (let index = 0; index < this.commands.length; index++) {
      const command = this.commands[index];
      if (command === undefined) continue;
      const { pipeline, workgroups } = command;
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      // Offsets from one array for all: an array per dispatch would be most of a frame's garbage.
      pass.setBindGroup(0, this.bindGroup, this.offsets, index, 1);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
  }

  private upload(input: EngineInput): void {
    if (input.kind === 'frame') {
      this.crop.upload(input);
      this.hasCrop = true;
      return;
    }
    padPixels(input.data, this.padded);
    this.context.device.queue.writeBuffer(this.image, 0, this.padded);
  }

  /** Closing destroys a buffer that is being mapped: that is not the device's failure. */
  private async readOpen<T>(
    pool: ReadBackPool,
    buffer: GPUBuffer,
    take: (bytes: ArrayBuffer) => T,
  ): Promise<T> {
    try {
      return await pool.read(buffer, take);
    } catch (cause) {
      if (this.closed) {
        throw new BitmarksError('closed', 'the compiled model was closed while running', { cause });
      }
      throw cause;
    }
  }
}

type Settled<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

async function settle<T>(promise: Promise<T>): Promise<Settled<T>> {
  try {
    return { ok: true, value: await promise };
  } catch (error) {
    return { ok: false, error };
  }
}

function outputWords([height, width, channels]: Shape): number {
  return height * width * channelPairs(channels);
}

/** RGB bytes to one word a pixel. */
function padPixels(rgb: Uint8Array, padded: Uint8Array): void {
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    padded[to] = rgb[from] ?? 0;
    padded[to + 1] = rgb[from + 1] ?? 0;
    padded[to + 2] = rgb[from + 2] ?? 0;
  }
}

/** One word a pixel to RGB bytes. */
function unpadPixels(bytes: ArrayBuffer): Uint8Array {
  const padded = new Uint8Array(bytes);
  return Uint8Array.from(
    { length: (padded.length / 4) * 3 },
    (_, index) => padded[Math.floor(index / 3) * 4 + (index % 3)] ?? 0,
  );
}

/** Planes of channel pairs to HWC. */
function unpackChannels(bytes: ArrayBuffer, [height, width, channels]: Shape): Int16Array {
  const planes = new Int16Array(bytes);
  const size = height * width;
  const data = new Int16Array(size * channels);
  for (let channel = 0; channel < channels; channel++) {
    let from = (channel >> 1) * size * 2 + (channel & 1);
    for (let to = channel; to < data.length; to += channels, from += 2) {
      data[to] = planes[from] ?? 0;
    }
  }
  return data;
}
