/**
 * Bitmarks' own engines as contestants: both WASM variants, and WebGPU.
 */
import type { Backend, CompiledModel, EngineInput, Heatmaps } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import relaxedUrl from '../../src/engine/wasm/build/relaxed.wasm?url&no-inline';
import simd128Url from '../../src/engine/wasm/build/simd128.wasm?url&no-inline';
import { createWasmBackend } from '../../src/engine/wasm/wasm_backend';
import { createWebgpuBackend } from '../../src/engine/webgpu/webgpu_backend';
import type { Model } from '../../src/model/types';
import { roiToCropAffine } from '../../src/pipeline/roi';
import type { Engine, Scene } from './engine';

const wasmUrls = {
  simd128: new URL(simd128Url, location.href).href,
  relaxed: new URL(relaxedUrl, location.href).href,
};

/** Throws 'backend/unavailable' where the variant cannot run. */
export async function createWasmEngine(
  variant: 'relaxed' | 'simd128',
  model: Model,
  scene: Scene,
): Promise<Engine> {
  const backend = await createWasmBackend({ wasmUrls, wasmVariant: variant });
  const compiled = await backend.compile(model, planGraph(model));
  const run = (input: EngineInput): Heatmaps => {
    const heatmaps = compiled.runSync?.(input);
    if (heatmaps === undefined) throw new Error('the WASM engine has lost its runSync');
    return heatmaps;
  };
  return describe(variant, `Bitmarks on WASM, ${variant}`, compiled, model, scene, run);
}

/** Throws 'backend/unavailable' where there is no adapter. */
export async function createWebgpuEngine(model: Model, scene: Scene): Promise<Engine> {
  const backend: Backend = await createWebgpuBackend({ wasmUrls });
  const compiled = await backend.compile(model, planGraph(model));
  const device = backend.device ?? 'a GPU that does not tell its name';
  return describe('webgpu', `Bitmarks on WebGPU, ${device}`, compiled, model, scene, (input) =>
    compiled.run(input),
  );
}

function describe(
  name: string,
  description: string,
  { kernels }: CompiledModel,
  { graph }: Model,
  { frame, region, crop }: Scene,
  run: (input: EngineInput) => ReturnType<Engine['runCrop']>,
): Engine {
  const { data, width, height } = frame;
  const [, columns] = graph.input.shape;
  return {
    ...{ name, description, kernels },
    runCrop: () => run({ kind: 'crop', data: crop }),
    runFrame: () =>
      run({ kind: 'frame', data, width, height, ...roiToCropAffine(region, frame, columns) }),
  };
}
