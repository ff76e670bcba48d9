/**
 * One backend for many sessions: a page's networks share one GPU device, or one WASM memory. Each session gets a lease,
 * which it opens and closes as if the backend were its own. Sessions that share a device must not use it at the same time.
 */
import { BitmarksError } from '../errors';
import type { Backend, CompiledModel, EngineFrame } from './backend';
import type { FactoryLoader } from './registry';

interface Shared {
  readonly backend: Promise<Backend>;
  leases: number;
}

/** A loader whose backends of equal name and options are one, which is closed with its last lease. A lost one is not shared again. */
export function shareBackends(load: FactoryLoader): FactoryLoader {
  const open = new Map<string, Shared>();

  return (name, options) =>
    Promise.resolve(async () => {
      // Whether copies of files are kept makes no other backend.
      const key = JSON.stringify([name, { ...options, cache: undefined }]);
      const shared = open.get(key) ?? {
        backend: load(name, options).then((make) => make(options)),
        leases: 0,
      };
      open.set(key, shared);
      shared.leases += 1;
      const forget = (): void => {
        if (open.get(key) === shared) open.delete(key);
      };
      try {
        const backend = await shared.backend;
        void backend.lost.then(forget);
        return new Lease(backend, () => {
          shared.leases -= 1;
          if (shared.leases > 0) return;
          forget();
          backend.close();
        });
      } catch (error) {
        forget();
        throw error;
      }
    });
}

/** A session's share of a backend: closing it closes what was compiled through it. */
class Lease implements Backend {
  readonly #backend: Backend;
  readonly #release: () => void;
  readonly #models = new Set<CompiledModel>();
  #isClosed = false;

  constructor(backend: Backend, release: () => void) {
    this.#backend = backend;
    this.#release = release;
  }

  get name(): Backend['name'] {
    return this.#backend.name;
  }

  get device(): string {
    return this.#backend.device ?? '';
  }

  get lost(): Promise<string> {
    return this.#backend.lost;
  }

  async compile(...[model, plan]: Parameters<Backend['compile']>): Promise<CompiledModel> {
    const compiled = await this.#backend.compile(model, plan);
    if (this.#isClosed) {
      compiled.close();
      throw new BitmarksError('closed', 'the backend was closed while it compiled a model');
    }
    this.#models.add(compiled);
    return compiled;
  }

  stage(frame: EngineFrame): void {
    this.#backend.stage?.(frame);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const model of this.#models) model.close();
    this.#release();
  }
}
