/**
 * What a compiled model takes from the engine that compiles it. Types only.
 */
import type { WebgpuKernelName } from '../backend';
import type { DeviceHealth } from './device_health';
import type { GpuMemory } from './gpu_memory';
import type { DeviceTraits } from './kernels/kernel';
import type { PipelineCache } from './pipeline_cache';

/** What runs cost, counted since the engine was made. */
export interface FrameCounters {
  submissions: number;
  readBacks: number;
}

export interface WebgpuContext {
  readonly device: GPUDevice;
  readonly traits: DeviceTraits;
  /** Names of convolution kernels to take before others. */
  readonly preferred: readonly WebgpuKernelName[];
  readonly memory: GpuMemory;
  readonly pipelines: PipelineCache;
  readonly health: DeviceHealth;
  readonly counters: FrameCounters;
}
