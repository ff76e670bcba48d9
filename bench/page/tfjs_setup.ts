/**
 * Starts TensorFlow.js on one of its stock backends, for the rows that use it directly. WASM: SIMD, one thread.
 */
import { setWasmPaths, version_wasm } from '@tensorflow/tfjs-backend-wasm';
import simdUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url&no-inline';
import threadedUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm?url&no-inline';
import plainUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url&no-inline';
import { env, setBackend } from '@tensorflow/tfjs-core';

/** Gives its name and version. */
export async function startTfjsWasm(): Promise<string> {
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  // It asks for the paths of all three and loads the one that fits the flags.
  setWasmPaths({
    'tfjs-backend-wasm.wasm': new URL(plainUrl, location.href).href,
    'tfjs-backend-wasm-simd.wasm': new URL(simdUrl, location.href).href,
    'tfjs-backend-wasm-threaded-simd.wasm': new URL(threadedUrl, location.href).href,
  });
  if (!(await setBackend('wasm')) || !env().getBool('WASM_HAS_SIMD_SUPPORT')) {
    throw new Error('tfjs-backend-wasm with SIMD could not be started');
  }
  return `tfjs-backend-wasm ${version_wasm}, SIMD, one thread`;
}

/** Gives its name and version. */
export async function startTfjsWebgpu(): Promise<string> {
  const { version_core } = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await setBackend('webgpu'))) throw new Error('tfjs-backend-webgpu could not be started');
  return `tfjs-backend-webgpu ${version_core}`;
}
