/**
 * The WebGPU engine: owns one GPU device, or borrows one, and compiles models for it. Wiring only: the work is in the
 * files beside this one.
 */
import type { Model } from '../../model/types';
import type { Backend, BackendFactory, EngineFrame, WebgpuKernelName } from '../backend';
import type { Plan } from '../planner';
import { hostDevice, type TfjsHost } from '../tfjs/webgpu_host';
import { DeviceHealth } from './device_health';
import type { GpuMemoryCount } from './gpu_memory';
import { kernelRefusals } from './kernels/conv2d_candidates';
import { requestWebgpuDevice, type WebgpuDevice } from './webgpu_device';
import { warmUp } from './warm_up';
import { createContext, type FrameCounters, type WebgpuContext } from './webgpu_context';
import { WebgpuModel } from './webgpu_model';

export interface WebgpuEngineOptions {
  /** As BackendOptions.webgpuKernels. */
  readonly kernels?: readonly WebgpuKernelName[];
}

/**
 * Makes the WebGPU backend on a device of its own, which is hosted by a tfjs WebGPUBackend. It goes on to compile pipelines, which
 * packs that are still on their way will find ready.
 */
export const createWebgpuBackend: BackendFactory = async ({ powerPreference, webgpuKernels }) => {
  const options = webgpuKernels === undefined ? {} : { kernels: webgpuKernels };
  const engine = await openWebgpuEngine(powerPreference, options);
  void warmUp(engine);
  return engine;
};

/** The same with access to what the Backend contract does not show. */
export async function openWebgpuEngine(
  powerPreference?: GPUPowerPreference,
  options: WebgpuEngineOptions = {},
): Promise<WebgpuEngine> {
  const handle = await requestWebgpuDevice(powerPreference);
  return new WebgpuEngine(handle, hostDevice(handle.device, handle.info), options);
}

export class WebgpuEngine implements Backend {
  readonly name = 'webgpu';
  readonly lost: Promise<string>;
  /** GPU vendor and architecture, as far as the browser tells, and why kernels that were asked for cannot run on it. */
  readonly device: string;
  readonly gpuDevice: GPUDevice;
  /** The tfjs backend that the device belongs to; null when the device is borrowed from one. */
  readonly host: TfjsHost | null;
  private readonly context: WebgpuContext;
  private readonly models = new Set<WebgpuModel>();
  private closed = false;

  constructor(
    { device, info, traits }: WebgpuDevice,
    host: TfjsHost | null,
    { kernels = [] }: WebgpuEngineOptions = {},
  ) {
    this.gpuDevice = device;
    const name = [info.vendor, info.architecture].filter((part) => part !== '').join(' ');
    const refusals = kernelRefusals(kernels, traits);
    this.device = refusals.length === 0 ? name : `${name} (${refusals.join('; ')})`;
    this.host = host;
    const health = new DeviceHealth(device, host === null);
    this.lost = health.lost;
    this.context = createContext(device, traits, kernels, health);
  }

  /** Buffers and textures alive now; 0 after every compiled model is closed. */
  get memory(): GpuMemoryCount {
    return this.context.memory.count;
  }

  /** Shaders compiled or being compiled. */
  get pipelines(): number {
    return this.context.pipelines.size;
  }

  get counters(): Readonly<FrameCounters> {
    return this.context.counters;
  }

  async compile(model: Model, plan: Plan): Promise<WebgpuModel> {
    this.context.health.check();
    const compiled = await WebgpuModel.compile(this.context, model, plan, (closing) => {
      this.models.delete(closing);
      if (this.models.size === 0) this.context.frames.release();
    });
    this.models.add(compiled);
    return compiled;
  }

  stage(frame: EngineFrame): void {
    if (!this.closed) this.context.frames.stage(frame);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.context.health.close();
    for (const model of this.models) model.close();
    this.context.memory.destroyAll();
    if (this.host === null) return;
    this.host.close();
    this.gpuDevice.destroy();
  }
}
