/**
 * What a compiled model takes from the engine that compiles it. Runs nothing.
 */
import type { WebgpuKernelName } from '../backend';
import type { DeviceHealth } from './device_health';
import { FrameTextures } from './frame_textures';
import { GpuMemory } from './gpu_memory';
import type { DeviceTraits } from './kernels/kernel';
import { PipelineCache } from './pipeline_cache';

/** What runs cost, counted since the engine was made. */
export interface FrameCounters {
  submissions: number;
  readBacks: number;
  /** Frames brought to the device. */
  uploads: number;
}

export interface WebgpuContext {
  readonly device: GPUDevice;
  readonly traits: DeviceTraits;
  /** Names of convolution kernels to take before others. */
  readonly preferred: readonly WebgpuKernelName[];
  readonly memory: GpuMemory;
  readonly pipelines: PipelineCache;
  readonly health: DeviceHealth;
  readonly frames: FrameTextures;
  readonly counters: FrameCounters;
}

/** The context of a device on which nothing lies yet. */
export function createContext(
  device: GPUDevice,
  traits: DeviceTraits,
  preferred: readonly WebgpuKernelName[],
  health: DeviceHealth,
): WebgpuContext {
  const memory = new GpuMemory(device);
  const counters = { submissions: 0, readBacks: 0, uploads: 0 };
  const frames = new FrameTextures(memory, counters);
  const pipelines = new PipelineCache(device);
  return { device, traits, preferred, memory, pipelines, health, counters, frames };
}
