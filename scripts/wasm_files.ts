/**
 * The built WASM modules for Node: their URLs and a loader that reads files, as Node's fetch does not. Browsers fetch.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compileModule, type WasmLoader } from '../src/engine/wasm/module_loader';
import { BitmarksError } from '../src/errors';

const build = new URL('../src/engine/wasm/build/', import.meta.url);

/** What `npm run build:wasm` writes. */
export const WASM_FILE_URLS = {
  simd128: new URL('simd128.wasm', build).href,
  relaxed: new URL('relaxed.wasm', build).href,
} as const;

/** Compiles the module of a file: URL. */
export const loadModuleFile: WasmLoader = async (url) => {
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = await readFile(fileURLToPath(url));
  } catch (cause) {
    throw new BitmarksError(
      'backend/unavailable',
      `the WASM module ${url} could not be read; run npm run build:wasm first`,
      { cause },
    );
  }
  return compileModule(bytes, url);
};
