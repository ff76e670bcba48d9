/**
 * Which backends there are, in which order they are tried, and how their code is loaded. Opens the first that can run
 * and says why the better ones were refused. Knows no models.
 */
import { BitmarksError } from '../errors';
import type {
  Backend,
  BackendFactory,
  BackendName,
  BackendOptions,
  BackendRefusal,
} from './backend';
import { loadOfferedBackend } from './offered';
import { requestAdapter } from './webgpu/webgpu_device';

/** 'auto' is the fastest that runs; the reference is slow and only for those who ask for it. */
export type BackendChoice = 'auto' | BackendName;

const AUTO_ORDER: readonly BackendName[] = ['webgpu', 'wasm'];

/** Backends to try, best first. */
export function backendOrder(choice: BackendChoice): readonly BackendName[] {
  return choice === 'auto' ? AUTO_ORDER : [choice];
}

/** Loads a backend's code. Throws 'backend/unavailable' where that cannot be used or fetched. */
export type FactoryLoader = (name: BackendName, options: BackendOptions) => Promise<BackendFactory>;

const LOADERS: Readonly<Record<BackendName, (options: BackendOptions) => Promise<BackendFactory>>> =
  {
    webgpu: loadWebgpu,
    wasm: async () => (await import('./wasm/wasm_backend')).createWasmBackend,
    reference: async () => (await import('./reference/reference_backend')).createReferenceBackend,
  };

/** The loader of browsers and workers. */
export const loadFactory: FactoryLoader = (name, options) => LOADERS[name](options);

/** The engine's file is worth its download only where there is an adapter. */
async function loadWebgpu({ webgpuUrl, powerPreference }: BackendOptions): Promise<BackendFactory> {
  await requestAdapter(powerPreference);
  if (webgpuUrl === undefined) {
    throw new BitmarksError('backend/unavailable', 'no URL of the WebGPU engine was given');
  }
  return loadOfferedBackend('webgpu', webgpuUrl);
}

/** What came of trying backends in order. */
export interface Opened<T> {
  readonly backend: Backend;
  /** What `prepare` made of the backend. */
  readonly prepared: T;
  /** Backends that were tried before and why they were not taken. */
  readonly refusals: readonly BackendRefusal[];
}

/**
 * Opens the first backend of `order` that can be made and that `prepare` (compile, self-test) accepts by not throwing.
 * Throws with the refusals' common code, or 'backend/unavailable' if they differ; the message holds every reason.
 */
export async function openBackend<T>(
  order: readonly BackendName[],
  options: BackendOptions,
  prepare: (backend: Backend) => Promise<T>,
  load: FactoryLoader = loadFactory,
): Promise<Opened<T>> {
  const errors: { name: BackendName; error: BitmarksError }[] = [];
  const refusals = (): BackendRefusal[] =>
    errors.map(({ name, error }) => ({ backend: name, reason: error.message }));
  for (const name of order) {
    let backend: Backend | undefined;
    try {
      backend = await (await load(name, options))(options);
      return { backend, prepared: await prepare(backend), refusals: refusals() };
    } catch (cause) {
      backend?.close();
      errors.push({ name, error: asBitmarksError(cause) });
    }
  }
  const codes = new Set(errors.map(({ error }) => error.code));
  const [code = 'backend/unavailable', ...others] = codes;
  const reasons = refusals().map(({ backend, reason }) => `${backend}: ${reason}`);
  throw new BitmarksError(
    others.length === 0 ? code : 'backend/unavailable',
    reasons.length === 0
      ? 'no backend is left to try'
      : `no backend can run here. ${reasons.join('. ')}`,
    { cause: errors.at(-1)?.error },
  );
}

function asBitmarksError(cause: unknown): BitmarksError {
  if (cause instanceof BitmarksError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new BitmarksError('backend/failed', detail, { cause });
}
