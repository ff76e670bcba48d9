/**
 * Gets the bytes of a WASM module and compiles them. The backend takes any loader, so that Node can read files; this file
 * holds the one for browsers and workers.
 */
import { BitmarksError } from '../../errors';
import { fetchAsset, keepCopy, openAssetCache, type AssetSource } from '../asset_cache';

/** Compiles the module at an absolute URL, or throws BitmarksError 'backend/unavailable'. */
export type WasmLoader = (url: string) => Promise<WebAssembly.Module>;

/** Downloads and compiles; independent of the server's content type. */
export const fetchModule: WasmLoader = (url) => loadModule(url, { cache: null });

/** The same, and keeps a copy for visits without a network. */
export const fetchModuleOrCopy: WasmLoader = async (url) =>
  loadModule(url, { cache: await openAssetCache() });

/** Compiles what the source gives, and keeps a copy of what compiled. */
export async function loadModule(url: string, source: AssetSource): Promise<WebAssembly.Module> {
  let bytes: ArrayBuffer;
  let isCopy: boolean;
  try {
    const asset = await fetchAsset(url, source);
    const { response } = asset;
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    bytes = await response.arrayBuffer();
    isCopy = asset.isCopy;
  } catch (cause) {
    throw new BitmarksError(
      'backend/unavailable',
      `the WASM module ${url} could not be downloaded (${messageOf(cause)}); serve the .wasm files beside the script, ` +
        'with CORS headers if they are on another origin',
      { cause },
    );
  }
  const module = await compileModule(bytes, url);
  if (!isCopy) void keepCopy(url, new Uint8Array(bytes), 'application/wasm', source.cache);
  return module;
}

/** Compiles bytes; `url` is for the message. */
export async function compileModule(bytes: BufferSource, url: string): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new BitmarksError(
      'backend/unavailable',
      `${url} did not compile (${messageOf(cause)}); serve the .wasm file of this release, and allow 'wasm-unsafe-eval' ` +
        'where a Content-Security-Policy has script-src',
      { cause },
    );
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
