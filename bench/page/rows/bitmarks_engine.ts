/**
 * Row: Bitmarks' engines on the thread that calls: reference, both WASM variants, WebGPU. With two threads it must be a worker's.
 */
import type { Backend, EngineInput, Heatmaps } from '../../../src/engine/backend';
import { planGraph } from '../../../src/engine/planner';
import { createReferenceBackend } from '../../../src/engine/reference/reference_backend';
import relaxedUrl from '../../../src/engine/wasm/build/relaxed.wasm?url&no-inline';
import relaxedThreadsUrl from '../../../src/engine/wasm/build/relaxed_threads.wasm?url&no-inline';
import simd128Url from '../../../src/engine/wasm/build/simd128.wasm?url&no-inline';
import simd128ThreadsUrl from '../../../src/engine/wasm/build/simd128_threads.wasm?url&no-inline';
import { createWasmBackend } from '../../../src/engine/wasm/wasm_backend';
import { createWebgpuBackend } from '../../../src/engine/webgpu/webgpu_backend';
import helperUrl from '../../../workers/landmark.worker?worker&url';
import type { Row } from '../../rows';
import type { Photo, Runner } from '../contestant';
import { frameInput, loadScenes } from '../scene';

const absolute = (url: string): string => new URL(url, location.href).href;
const wasmUrls = { simd128: absolute(simd128Url), relaxed: absolute(relaxedUrl) };
const threadUrls = { simd128: absolute(simd128ThreadsUrl), relaxed: absolute(relaxedThreadsUrl) };

/** By a row's choice. Each throws 'backend/unavailable' where it cannot run. */
const BACKENDS: Readonly<Record<string, () => Promise<Backend>>> = {
  reference: createReferenceBackend,
  simd128: () => createWasmBackend({ wasmUrls, wasmVariant: 'simd128' }),
  relaxed: () => createWasmBackend({ wasmUrls, wasmVariant: 'relaxed' }),
  'relaxed, 2 threads': () =>
    createWasmBackend({
      wasmUrls,
      wasmVariant: 'relaxed',
      wasmThreads: { urls: threadUrls, helperUrl: absolute(helperUrl), count: 2 },
    }),
  webgpu: () => createWebgpuBackend({ wasmUrls }),
};

export async function makeRunner(
  { task, choice }: Row,
  photos: readonly Photo[],
): Promise<Runner & Required<Pick<Runner, 'network'>>> {
  const backend = await BACKENDS[choice]?.();
  if (backend === undefined) throw new Error(`no engine ${choice}`);
  // The engine does with fewer threads where it must; this row may not.
  if (choice.endsWith('threads') && backend.device !== `WASM ${choice}`)
    throw new Error(`found ${backend.device ?? backend.name}, expected WASM ${choice}`);
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
}
