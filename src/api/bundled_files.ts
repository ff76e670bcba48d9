/**
 * URLs of the files that come with the script: worker, engines, packs. These import forms are what the library build turns
 * into `new URL('file', import.meta.url)`, or into URLs beside the script tag, and what a development server and bundlers
 * understand; a path put together at run time would not survive them. No options, no fetching.
 */
import webgpuUrl from '../../workers/webgpu_engine?worker&url';
import workerUrl from '../../workers/landmark.worker?worker&url';
import relaxedUrl from '../engine/wasm/build/relaxed.wasm?url&no-inline';
import simd128Url from '../engine/wasm/build/simd128.wasm?url&no-inline';

const packUrls = import.meta.glob<string>('../../models/*.bitmarks', {
  query: '?url&no-inline',
  import: 'default',
  eager: true,
});

/** Absolute URL: development servers give paths, and a worker started from a blob resolves none. */
function absolute(url: string): string {
  return new URL(url, globalThis.location.href).href;
}

export interface BundledFiles {
  readonly worker: string;
  readonly webgpu: string;
  readonly wasm: { readonly simd128: string; readonly relaxed: string };
}

/** Absolute URLs of scripts and WASM modules. */
export function bundledFiles(): BundledFiles {
  return {
    worker: absolute(workerUrl),
    webgpu: absolute(webgpuUrl),
    wasm: { simd128: absolute(simd128Url), relaxed: absolute(relaxedUrl) },
  };
}

/** Absolute URL of the pack models/NAME.bitmarks; undefined if this build has none of that name. */
export function bundledPack(name: string): string | undefined {
  const url = packUrls[`../../models/${name}.bitmarks`];
  return url === undefined ? undefined : absolute(url);
}
