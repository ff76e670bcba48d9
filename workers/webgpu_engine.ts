/**
 * The WebGPU engine as a file of its own: the worker imports it by URL where a GPU adapter is present. It exports nothing, as
 * bundlers drop the exports of worker files; src/engine/offered.ts is the other end.
 */
import { offerBackend } from '../src/engine/offered';
import { createWebgpuBackend } from '../src/engine/webgpu/webgpu_backend';

offerBackend('webgpu', createWebgpuBackend);
