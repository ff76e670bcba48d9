/**
 * The one place where the WebGPU engine meets TensorFlow.js: wraps a GPU device in a tfjs WebGPUBackend, so that tensors
 * and low-bit kernels share it. Imports the backend class without its kernels, which keeps a page's download small.
 */
import { findBackend, registerBackend, removeBackend } from '@tensorflow/tfjs-core';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu';

/** A device that belongs to a registered tfjs backend. */
export interface TfjsHost {
  /** Name under which tfjs knows the backend; no stock kernels are registered for it. */
  readonly name: string;
  readonly backend: WebGPUBackend;
  /** Unregisters the backend and frees its buffers, not the device. Idempotent. */
  close(): void;
}

/** Below every stock backend: tfjs must never choose a backend without kernels by itself. */
const PRIORITY = -1;

let hosts = 0;

/** Registers a WebGPUBackend on `device` under a name of its own. */
export function hostDevice(device: GPUDevice, info: GPUAdapterInfo): TfjsHost {
  hosts++;
  const name = `bitmarks-webgpu-${hosts}`;
  const backend = new WebGPUBackend(device, info);
  registerBackend(name, () => backend, PRIORITY);
  // tfjs disposes a backend on removal only if it was initialised by a look-up.
  findBackend(name);
  let closed = false;
  return {
    name,
    backend,
    close: () => {
      if (closed) return;
      closed = true;
      removeBackend(name);
    },
  };
}
