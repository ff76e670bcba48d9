/**
 * Where the package's other files are: beside the script, or in the folder the caller names. URLs only, nothing is fetched.
 */
import workerUrl from '../../workers/landmark.worker?worker&url';
import webgpuUrl from '../../workers/webgpu_engine?worker&url';
import relaxedUrl from '../engine/wasm/build/relaxed.wasm?url&no-inline';
import relaxedThreadsUrl from '../engine/wasm/build/relaxed_threads.wasm?url&no-inline';
import simd128Url from '../engine/wasm/build/simd128.wasm?url&no-inline';
import simd128ThreadsUrl from '../engine/wasm/build/simd128_threads.wasm?url&no-inline';
import { BitmarksError } from '../errors';
import type { TaskName } from '../protocol/service';
import type { ModelVariant } from './options';

const packUrls = import.meta.glob<string>('../../models/*.bitmarks', {
  query: '?url&no-inline',
  import: 'default',
  eager: true,
});

/**
 * File names without `.bitmarks`. A finder whose pack lies in models/ when the package is built is the default; without it,
 * windows of the frame are searched.
 */
const PACKS: Readonly<Record<TaskName, PackNames>> = {
  face: { standard: 'face', full: 'face-full', finder: 'face-finder' },
  pose: { standard: 'pose', full: 'pose-full', finder: 'person-finder' },
};

type PackNames = Readonly<Record<ModelVariant | 'finder', string>>;

/** Absolute URLs. */
export interface AssetUrls {
  readonly worker: string;
  readonly webgpu: string;
  readonly wasm: { readonly simd128: string; readonly relaxed: string };
  /** The same over shared memory. */
  readonly wasmThreads: { readonly simd128: string; readonly relaxed: string };
  readonly landmarkPack: string;
  /** Null in builds without this finder. */
  readonly finderPack: string | null;
}

/**
 * `base` is the folder of a whole dist/, relative to the page; null stands for where this script lies. Throws
 * 'options/invalid' for a variant that this build has no pack of.
 */
export function resolveAssets(
  task: TaskName,
  variant: ModelVariant,
  base: string | null,
): AssetUrls {
  const { [variant]: landmarks, finder } = PACKS[task];
  if (variant !== 'standard' && !hasPack(landmarks)) {
    throw new BitmarksError(
      'options/invalid',
      `variant is '${variant}', but this build has no pack '${landmarks}.bitmarks'; leave the option out, or give a model`,
    );
  }
  const hasFinder = hasPack(finder);
  if (base === null) {
    const packUrl = (name: string): string =>
      absoluteUrl(packUrls[packPath(name)] ?? `models/${name}.bitmarks`);
    return {
      worker: absoluteUrl(workerUrl),
      webgpu: absoluteUrl(webgpuUrl),
      wasm: { simd128: absoluteUrl(simd128Url), relaxed: absoluteUrl(relaxedUrl) },
      wasmThreads: {
        simd128: absoluteUrl(simd128ThreadsUrl),
        relaxed: absoluteUrl(relaxedThreadsUrl),
      },
      landmarkPack: packUrl(landmarks),
      finderPack: hasFinder ? packUrl(finder) : null,
    };
  }
  const folder = absoluteUrl(base.endsWith('/') ? base : `${base}/`);
  const inFolder = (file: string): string => new URL(file, folder).href;
  return {
    worker: inFolder('bitmarks.worker.js'),
    webgpu: inFolder('bitmarks.webgpu.js'),
    wasm: { simd128: inFolder('wasm/simd128.wasm'), relaxed: inFolder('wasm/relaxed.wasm') },
    wasmThreads: {
      simd128: inFolder('wasm/simd128_threads.wasm'),
      relaxed: inFolder('wasm/relaxed_threads.wasm'),
    },
    landmarkPack: inFolder(`models/${landmarks}.bitmarks`),
    finderPack: hasFinder ? inFolder(`models/${finder}.bitmarks`) : null,
  };
}

function hasPack(name: string): boolean {
  return packUrls[packPath(name)] !== undefined;
}

function packPath(name: string): string {
  return `../../models/${name}.bitmarks`;
}

/** Resolves a URL against the page: inside a worker started from a blob, relative ones would lead nowhere. */
export function absoluteUrl(url: string): string {
  try {
    return new URL(url, document.baseURI).href;
  } catch (cause) {
    throw new BitmarksError('options/invalid', `'${url}' is no URL`, { cause });
  }
}
