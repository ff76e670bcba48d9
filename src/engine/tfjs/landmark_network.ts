/**
 * A landmark network as a TensorFlow.js kernel: int32 tensor in, int32 tensor out, on the tfjs backends `webgpu`, `wasm` and
 * `cpu`, with the same bits on each. On `webgpu` the tensors' own buffers are read and written by our kernels; on the
 * others our WASM or reference engine computes at once. Runs no stock tfjs kernels; float_graph.ts does.
 */
import {
  engine,
  findBackend,
  getBackend,
  registerKernel,
  unregisterKernel,
  type KernelFunc,
  type Tensor3D,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu';
import { BitmarksError } from '../../errors';
import type { Model, Shape } from '../../model/types';
import type { Backend, CompiledModel } from '../backend';
import { planGraph, type Plan } from '../planner';
import { TensorPort } from '../webgpu/tensor_port';
import { WebgpuEngine } from '../webgpu/webgpu_backend';
import { findGpu, traitsOf } from '../webgpu/webgpu_device';

/** Where a network is to run. */
export interface NetworkTarget {
  /** Name of an initialised tfjs backend: call `await tf.setBackend(name)` once before. */
  readonly tfjsBackend: string;
  /**
   * Engine that computes for it on the calling thread, such as our WASM or reference backend; the caller closes it. Absent for
   * a tfjs WebGPU backend, whose device our kernels share.
   */
  readonly engine?: Backend;
}

/** A registered network. */
export interface LandmarkNetwork {
  /** Name in tfjs's kernel registry. */
  readonly kernelName: string;
  /** [h, w, 3] of the int32 input, 0..255; values beyond are clamped. */
  readonly inputShape: Shape;
  /** [h, w, landmarks] of the int32 heatmaps. */
  readonly outputShape: Shape;
  /** What runs on each tfjs backend, by its name. */
  readonly kernels: ReadonlyMap<string, readonly string[]>;
  /** Unregisters the kernel and frees what it holds; tensors stay. Idempotent. */
  close(): void;
}

interface Prepared {
  readonly kernelFunc: KernelFunc;
  readonly kernels: readonly string[];
  close(): void;
}

let registered = 0;

/**
 * Compiles the model's last output, or the one named, for every target and registers it as a tfjs kernel.
 * Throws 'backend/unavailable' for a target that is not initialised or cannot run it.
 */
export async function registerBitmarks(
  model: Model,
  targets: readonly NetworkTarget[],
  output?: string,
): Promise<LandmarkNetwork> {
  const plan = planGraph(model, output);
  registered++;
  const kernelName = `Bitmarks${registered}`;
  const prepared = new Map<string, Prepared>();
  const closeAll = (): void => {
    for (const [backendName, target] of prepared) {
      unregisterKernel(kernelName, backendName);
      target.close();
    }
    prepared.clear();
  };
  try {
    for (const target of targets) {
      const made = await prepare(model, plan, target);
      prepared.set(target.tfjsBackend, made);
      registerKernel({
        kernelName,
        backendName: target.tfjsBackend,
        kernelFunc: made.kernelFunc,
      });
    }
  } catch (error) {
    closeAll();
    throw error;
  }
  return {
    kernelName,
    inputShape: plan.inputShape,
    outputShape: plan.outputShape,
    kernels: new Map([...prepared].map(([name, { kernels }]) => [name, kernels])),
    close: closeAll,
  };
}

/**
 * Runs the network on the current tfjs backend. The caller disposes the result.
 * Throws 'input/invalid' for a tensor of another type or shape and 'backend/unavailable' on a backend that is no target.
 */
export function runLandmarkNetwork(network: LandmarkNetwork, image: Tensor3D): Tensor3D {
  if (image.dtype !== 'int32' || image.shape.join() !== network.inputShape.join()) {
    throw new BitmarksError(
      'input/invalid',
      `the image is a tensor ${image.dtype} [${image.shape.join(', ')}], expected int32 [${network.inputShape.join(', ')}]`,
    );
  }
  if (!network.kernels.has(getBackend())) {
    throw new BitmarksError(
      'backend/unavailable',
      `the network is not registered for the tfjs backend '${getBackend()}', only for ${[...network.kernels.keys()].join(', ')}`,
    );
  }
  return engine().runKernel<Tensor3D>(network.kernelName, { image });
}

async function prepare(model: Model, plan: Plan, target: NetworkTarget): Promise<Prepared> {
  const host: unknown = findBackend(target.tfjsBackend);
  if (host === null || host === undefined) {
    throw new BitmarksError(
      'backend/unavailable',
      `the tfjs backend '${target.tfjsBackend}' is not initialised; import it and call await tf.setBackend('${target.tfjsBackend}') first`,
    );
  }
  if (target.engine !== undefined) {
    return prepareHere(await target.engine.compile(model, plan), plan, target);
  }
  if (!isWebgpuBackend(host)) {
    throw new BitmarksError(
      'backend/unavailable',
      `the tfjs backend '${target.tfjsBackend}' has no GPU device; name an engine to compute for it`,
    );
  }
  return prepareWebgpu(host, model, plan);
}

/** What the kernels of `wasm` and `cpu` need of their tfjs backend. */
interface CpuSideBackend {
  readSync(dataId: object): unknown;
  write(values: Int32Array, shape: number[], dtype: 'int32'): object;
}

/** By its members: pages may hold another copy of the class. */
function isWebgpuBackend(host: unknown): host is WebGPUBackend {
  return typeof host === 'object' && host !== null && 'device' in host && 'uploadToGPU' in host;
}

async function prepareWebgpu(host: WebGPUBackend, model: Model, plan: Plan): Promise<Prepared> {
  const { device } = host;
  const info = device.adapterInfo;
  const borrowed = new WebgpuEngine(
    { device, info, traits: traitsOf(device, info, findGpu()) },
    null,
  );
  const compiled = await borrowed.compile(model, plan);
  const port = await TensorPort.create(compiled);
  return {
    kernels: compiled.kernels,
    close: () => borrowed.close(),
    kernelFunc: ({ inputs }) => {
      const source = gpuBuffer(host, requireInput(inputs.image));
      const output = host.makeTensorInfo([...plan.outputShape], 'int32');
      const destination = gpuBuffer(host, output);
      // tfjs collects dispatches and uploads; they must be on the queue before ours. Its submitQueue needs an encoder.
      host.ensureCommandEncoderReady();
      host.endComputePassEncoder();
      host.submitQueue();
      port.run(source, destination);
      return output;
    },
  };
}

/** The tensor's own buffer; uploads its values if it lies on the CPU. */
function gpuBuffer(host: WebGPUBackend, { dataId }: TensorInfo): GPUBuffer {
  host.uploadToGPU(dataId);
  const { resource } = host.tensorMap.get(dataId);
  if (resource instanceof GPUBuffer) return resource;
  throw new BitmarksError('input/invalid', 'the tensor is a texture, expected one in a buffer');
}

function prepareHere(compiled: CompiledModel, plan: Plan, target: NetworkTarget): Prepared {
  const runSync = compiled.runSync?.bind(compiled);
  if (runSync === undefined) {
    compiled.close();
    throw new BitmarksError(
      'backend/unavailable',
      `the engine given for '${target.tfjsBackend}' cannot compute on the calling thread, which a tfjs kernel must`,
    );
  }
  return {
    kernels: compiled.kernels,
    close: () => compiled.close(),
    kernelFunc: ({ inputs, backend }) => {
      const host = backend as CpuSideBackend;
      const values = host.readSync(requireInput(inputs.image).dataId) as Int32Array;
      const data = new Uint8Array(Uint8ClampedArray.from(values).buffer);
      const heatmaps = runSync({ kind: 'crop', data });
      const shape = [...plan.outputShape];
      const dataId = host.write(Int32Array.from(heatmaps.data), shape, 'int32');
      return { dataId, shape, dtype: 'int32' };
    },
  };
}

function requireInput(image: TensorInfo | undefined): TensorInfo {
  if (image === undefined) throw new BitmarksError('input/invalid', "the input 'image' is missing");
  return image;
}
