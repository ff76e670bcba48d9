/**
 * Sums the heatmaps of a model on the GPU, so that a few kilobytes come back instead of all values: the table of weights, the
 * result and their bindings. Reads nothing back itself.
 */
import {
  createHeatmapSums,
  joinHalves,
  softmaxWeights,
  SUMS,
  type HeatmapSums,
} from '../../model/heatmap_sums';
import type { Model, Shape } from '../../model/types';
import type { GpuMemory } from './gpu_memory';
import { KernelRefusal, type Workgroups } from './kernels/kernel';
import { SUM_WORDS, sumHeatmaps } from './kernels/sum_heatmaps';
import type { PipelineCache } from './pipeline_cache';

/** Where the heatmaps lie. */
export interface HeatmapPlace {
  readonly features: GPUBuffer;
  /** First word in `features`. */
  readonly base: number;
  readonly shape: Shape;
}

export class HeatmapSummer {
  readonly output: GPUBuffer;
  readonly sizeBytes: number;
  private readonly pipeline: GPUComputePipeline;
  private readonly bindGroup: GPUBindGroup;
  private readonly workgroups: Workgroups;
  private readonly result: HeatmapSums;

  private constructor(
    pipeline: GPUComputePipeline,
    bindGroup: GPUBindGroup,
    output: GPUBuffer,
    [, width, channels]: Shape,
    workgroups: Workgroups,
  ) {
    this.pipeline = pipeline;
    this.bindGroup = bindGroup;
    this.output = output;
    this.sizeBytes = channels * SUM_WORDS * 4;
    this.workgroups = workgroups;
    this.result = createHeatmapSums(width, channels);
  }

  /** Null for codecs and sizes that have no sums here. */
  static async create(
    memory: GpuMemory,
    pipelines: PipelineCache,
    { manifest: { codec } }: Model,
    { features, base, shape }: HeatmapPlace,
  ): Promise<HeatmapSummer | null> {
    const taken = sumHeatmaps.supports(codec.type === 'softmax' ? codec : null, shape);
    if (taken instanceof KernelRefusal) return null;
    const { device } = memory;
    const layout = device.createBindGroupLayout({
      label: sumHeatmaps.name,
      entries: sumHeatmaps.bindings(),
    });
    const { length, high, low } = softmaxWeights(taken);
    const table = new Uint32Array(length * 2);
    for (let n = 0; n < length; n++) {
      table[n * 2] = high[n] ?? 0;
      table[n * 2 + 1] = low[n] ?? 0;
    }
    const { workgroups, uniforms } = sumHeatmaps.dispatch({
      ...{ shape, base, length, window: taken.window },
    });
    const weights = memory.filledBuffer('softmax weights', table);
    const request = memory.buffer(
      'sum request',
      uniforms.byteLength,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    device.queue.writeBuffer(request, 0, uniforms);
    const output = memory.buffer(
      'sums',
      shape[2] * SUM_WORDS * 4,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
    );
    const pipeline = await pipelines.get(
      sumHeatmaps.name,
      sumHeatmaps.wgsl(),
      device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    );
    const bindGroup = device.createBindGroup({
      layout,
      entries: [features, weights, request, output].map((buffer, binding) => ({
        binding,
        resource: { buffer },
      })),
    });
    return new HeatmapSummer(pipeline, bindGroup, output, shape, workgroups);
  }

  encode(pass: GPUComputePassEncoder): void {
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.bindGroup);
    pass.dispatchWorkgroups(this.workgroups[0], this.workgroups[1], this.workgroups[2]);
  }

  /** What the GPU has written, in numbers; the same object each time. */
  decode(bytes: ArrayBuffer): HeatmapSums {
    const words = new Int32Array(bytes);
    const { cells, sums } = this.result;
    for (let channel = 0; channel < cells.length; channel++) {
      let at = channel * SUM_WORDS;
      cells[channel] = words[at] ?? 0;
      at++;
      for (let i = channel * SUMS; i < (channel + 1) * SUMS; i++, at += 3) {
        const high = (words[at + 2] ?? 0) * 65536 + (words[at + 1] ?? 0);
        sums[i] = joinHalves(high, words[at] ?? 0);
      }
    }
    return this.result;
  }
}
