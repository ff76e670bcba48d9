/**
 * Row: Bitmarks' engines on the page's own thread: reference, both WASM variants, WebGPU.
 */
import type { Backend, EngineInput, Heatmaps } from '../../../src/engine/backend';
import { planGraph } from '../../../src/engine/planner';
import { createReferenceBackend } from '../../../src/engine/reference/reference_backend';
import relaxedUrl from '../../../src/engine/wasm/build/relaxed.wasm?url&no-inline';
import simd128Url from '../../../src/engine/wasm/build/simd128.wasm?url&no-inline';
import { createWasmBackend } from '../../../src/engine/wasm/wasm_backend';
import { createWebgpuBackend } from '../../../src/engine/webgpu/webgpu_backend';
import type { MakeRunner } from '../contestant';
import { frameInput, loadScenes } from '../scene';

const wasmUrls = {
  simd128: new URL(simd128Url, location.href).href,
  relaxed: new URL(relaxedUrl, location.href).href,
};

/** By a row's choice. Each throws 'backend/unavailable' where it cannot run. */
const BACKENDS: Readonly<Record<string, () => Promise<Backend>>> = {
  reference: createReferenceBackend,
  simd128: () => createWasmBackend({ wasmUrls, wasmVariant: 'simd128' }),
  relaxed: () => createWasmBackend({ wasmUrls, wasmVariant: 'relaxed' }),
  webgpu: () => createWebgpuBackend({ wasmUrls }),
};

export const makeRunner: MakeRunner = async ({ task, choice }, photos) => {
  const backend = await BACKENDS[choice]?.();
  if (backend === undefined) throw new Error(`no engine ${choice}`);
  const { model, scenes, crop, multiplyAdds, decode } = await loadScenes(task, photos);
  const compiled = await backend.compile(model, planGraph(model));
  const run = (input: EngineInput): Heatmaps | Promise<Heatmaps> =>
    compiled.runSync?.(input) ?? compiled.run(input);
  return {
    description: backend.device ?? backend.name,
    ...{ kernels: compiled.kernels, multiplyAdds },
    network: async () => (await run({ kind: 'crop', data: crop })).data,
    frame: async (photo) => {
      const scene = scenes[photo];
      if (scene === undefined) throw new Error(`no photo ${photo}`);
      decode((await run(frameInput(model, scene))).data);
      return null;
    },
  };
};
