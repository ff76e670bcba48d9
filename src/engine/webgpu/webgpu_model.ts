/**
 * A model compiled for one GPU device: its buffers, textures, pipelines and bindings, and the recording of a frame. A frame
 * is one submission and one read-back; everything it binds was made when the model was compiled.
 */
import { BitmarksError } from '../../errors';
import type { Model, Shape } from '../../model/types';
import type { CompiledModel, EngineInput, Heatmaps } from '../backend';
import type { Plan } from '../planner';
import type { DeviceHealth } from './device_health';
import { FrameCrop } from './frame_crop';
import { GpuMemory } from './gpu_memory';
import { selectKernel } from './kernels/index';
import { pixelWords, stepBindings, type DeviceTraits, type Workgroups } from './kernels/kernel';
import { layoutModel } from './model_layout';
import type { PipelineCache } from './pipeline_cache';
import { ReadBackPool } from './read_back';
import { UNIFORM_SLOT_BYTES, uniformSlots } from './uniform_slots';
import { uploadWeights } from './weight_textures';

/** What frames cost, counted since the backend was made. */
export interface FrameCounters {
  submissions: number;
  readBacks: number;
}

/** What a compiled model takes from its backend. */
export interface WebgpuContext {
  readonly device: GPUDevice;
  readonly traits: DeviceTraits;
  readonly memory: GpuMemory;
  readonly pipelines: PipelineCache;
  readonly health: DeviceHealth;
  readonly counters: FrameCounters;
}

interface StepCommand {
  readonly pipeline: GPUComputePipeline;
  readonly uniformOffset: number;
  readonly workgroups: Workgroups;
}

interface ModelParts {
  readonly memory: GpuMemory;
  readonly kernels: readonly string[];
  readonly commands: readonly StepCommand[];
  readonly bindGroup: GPUBindGroup;
  readonly crop: FrameCrop;
  readonly features: GPUBuffer;
  readonly image: GPUBuffer;
  readonly outputBase: number;
  readonly bytes: CompiledModel['bytes'];
}

export class WebgpuModel implements CompiledModel {
  readonly kernels: readonly string[];
  readonly bytes: CompiledModel['bytes'];
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** 16-bit features, two values a word; the output begins at word `outputBase`. */
  readonly features: GPUBuffer;
  readonly outputBase: number;
  /** The crop, one word a pixel: bytes r, g, b, 0. */
  readonly image: GPUBuffer;
  readonly memory: GpuMemory;
  readonly context: WebgpuContext;
  private readonly commands: readonly StepCommand[];
  private readonly bindGroup: GPUBindGroup;
  private readonly crop: FrameCrop;
  private readonly heatmapReads: ReadBackPool;
  private readonly cropReads: ReadBackPool;
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
    this.crop = parts.crop;
    this.features = parts.features;
    this.image = parts.image;
    this.outputBase = parts.outputBase;
    this.heatmapReads = new ReadBackPool(this.memory, outputWords(plan.outputShape) * 4);
    this.cropReads = new ReadBackPool(this.memory, imageWords(plan.inputShape) * 4);
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
    this.check();
    this.upload(input);
    const { device, counters, health } = this.context;
    const readBack = this.heatmapReads.take();
    const encoder = device.createCommandEncoder({ label: 'frame' });
    const pass = encoder.beginComputePass();
    if (input.kind === 'frame') this.crop.encode(pass);
    this.encodeSteps(pass);
    pass.end();
    encoder.copyBufferToBuffer(
      this.features,
      this.outputBase * 4,
      readBack,
      0,
      this.heatmapReads.sizeBytes,
    );
    device.queue.submit([encoder.finish()]);
    counters.submissions++;
    counters.readBacks++;
    const bytes = await health.guard(() => this.readOpen(this.heatmapReads, readBack));
    const [height, width, channels] = this.outputShape;
    return { data: unpackChannels(bytes, this.outputShape), height, width, channels };
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
    const bytes = await health.guard(() => this.readOpen(this.cropReads, readBack));
    const pixels = new Uint8Array(bytes);
    return Uint8Array.from(
      { length: imageWords(this.inputShape) * 3 },
      (_, index) => pixels[Math.floor(index / 3) * 4 + (index % 3)] ?? 0,
    );
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
    for (const { pipeline, uniformOffset, workgroups } of this.commands) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, this.bindGroup, [uniformOffset]);
      pass.dispatchWorkgroups(...workgroups);
    }
  }

  private upload(input: EngineInput): void {
    if (input.kind === 'frame') {
      this.crop.upload(input);
      this.hasCrop = true;
      return;
    }
    const pixels = imageWords(this.inputShape);
    this.context.device.queue.writeBuffer(this.image, 0, padPixels(input.data, pixels));
  }

  /** Closing destroys a buffer that is being mapped: that is not the device's failure. */
  private async readOpen(pool: ReadBackPool, buffer: GPUBuffer): Promise<ArrayBuffer> {
    try {
      return await pool.read(buffer);
    } catch (cause) {
      if (this.closed) {
        throw new BitmarksError('closed', 'the compiled model was closed while running', { cause });
      }
      throw cause;
    }
  }
}

async function buildParts(
  context: WebgpuContext,
  memory: GpuMemory,
  model: Model,
  plan: Plan,
): Promise<ModelParts> {
  const { device, traits, pipelines } = context;
  const layout = layoutModel(model, plan);
  const featureBytes = layout.featureWords * 4;
  if (featureBytes > device.limits.maxStorageBufferBindingSize) {
    throw new BitmarksError(
      'backend/failed',
      `the features need ${featureBytes} bytes, this GPU binds at most ${device.limits.maxStorageBufferBindingSize}`,
    );
  }
  const selected = plan.steps.map((step) => selectKernel(step, traits));
  const bindGroupLayout = device.createBindGroupLayout({
    label: 'steps',
    entries: stepBindings(),
  });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
  const stepPipelines = Promise.all(
    selected.map(({ name, wgsl }) => pipelines.get(name, wgsl, pipelineLayout)),
  );
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const features = memory.buffer('features', featureBytes, storage);
  const image = memory.buffer('image', imageWords(plan.inputShape) * 4, storage);
  const table = memory.filledBuffer('table', layout.table);
  const placed = selected.map((kernel, index) => {
    const placement = layout.placements[index];
    if (placement === undefined) throw new RangeError(`no placement for step ${index}`);
    return kernel.dispatch(placement);
  });
  const uniforms = memory.buffer(
    'steps',
    placed.length * UNIFORM_SLOT_BYTES,
    GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  );
  device.queue.writeBuffer(uniforms, 0, uniformSlots(placed.map((p) => p.uniforms)));
  const [weights, crop, compiled] = await Promise.all([
    uploadWeights(memory, pipelines, layout),
    FrameCrop.create(memory, pipelines, image, plan.inputShape),
    stepPipelines,
  ]);
  const bindGroup = device.createBindGroup({
    label: 'steps',
    layout: bindGroupLayout,
    entries: [
      { binding: 0, resource: { buffer: features } },
      { binding: 1, resource: { buffer: table } },
      { binding: 2, resource: { buffer: uniforms, size: UNIFORM_SLOT_BYTES } },
      { binding: 3, resource: weights.createView() },
      { binding: 4, resource: { buffer: image } },
    ],
  });
  return {
    memory,
    kernels: selected.map(({ name }) => name),
    commands: compiled.map((pipeline, index) => ({
      pipeline,
      uniformOffset: index * UNIFORM_SLOT_BYTES,
      workgroups: placed[index]?.workgroups ?? [0, 0, 0],
    })),
    bindGroup,
    crop,
    features,
    image,
    outputBase: layout.outputBase,
    bytes: {
      weights: weights.width * weights.height * 16 + table.size + uniforms.size,
      activations: features.size + image.size,
    },
  };
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

function imageWords([height, width]: Shape): number {
  return height * width;
}

function outputWords([height, width, channels]: Shape): number {
  return height * width * pixelWords(channels);
}

/** RGB bytes to one word a pixel. */
function padPixels(rgb: Uint8Array, pixels: number): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(pixels * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    padded.set(rgb.subarray(from, from + 3), to);
  }
  return padded;
}

/** Pairs of channels to the channels that exist. */
function unpackChannels(bytes: ArrayBuffer, [height, width, channels]: Shape): Int16Array {
  const pairs = new Int16Array(bytes);
  if (channels % 2 === 0) return pairs;
  const data = new Int16Array(height * width * channels);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const first = pixel * (channels + 1);
    data.set(pairs.subarray(first, first + channels), pixel * channels);
  }
  return data;
}
