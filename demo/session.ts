/**
 * The page's landmarkers: made when first needed, made anew when the user chooses another backend or the worker has died.
 * Shows nothing.
 */
import { BitmarksError, FaceLandmarker, PoseLandmarker, type LoadProgress } from '../src/index';

export type BackendName = 'auto' | 'webgpu' | 'wasm';
export type TaskName = 'face' | 'pose' | 'both';

export const BACKEND_NAMES: readonly BackendName[] = ['auto', 'webgpu', 'wasm'];
export const TASK_NAMES: readonly TaskName[] = ['face', 'pose', 'both'];

/** Kinds of subjects. */
export type Kind = 'face' | 'pose';

/** A landmarker and what it finds. */
export interface Watcher {
  readonly kind: Kind;
  readonly landmarker: FaceLandmarker | PoseLandmarker;
}

export class Session {
  readonly #onProgress: (progress: LoadProgress) => void;
  #backend: BackendName;
  #abort = new AbortController();
  readonly #landmarkers = new Map<Kind, Promise<Watcher['landmarker']>>();

  constructor(backend: BackendName, onProgress: (progress: LoadProgress) => void) {
    this.#backend = backend;
    this.#onProgress = onProgress;
  }

  /** Closes the landmarkers at hand; the next get() makes those for `backend`. */
  use(backend: BackendName): void {
    this.#discard();
    this.#backend = backend;
  }

  /** The landmarkers of a task; waits while they are being made. Rejects as their create does, and then tries anew next time. */
  get(task: TaskName): Promise<Watcher[]> {
    const kinds: readonly Kind[] = task === 'both' ? ['face', 'pose'] : [task];
    return Promise.all(
      kinds.map(async (kind) => ({ kind, landmarker: await this.#landmarker(kind) })),
    );
  }

  /** Tells of an error of a call, so that landmarkers that can do no more are replaced. */
  failed(error: unknown): void {
    if (
      error instanceof BitmarksError &&
      ['worker/crashed', 'device/lost', 'backend/failed'].includes(error.code)
    ) {
      this.#discard();
    }
  }

  async #landmarker(kind: Kind): Promise<Watcher['landmarker']> {
    const { signal } = this.#abort;
    const options = {
      delegate: this.#backend,
      onProgress: (progress: LoadProgress) => {
        if (!signal.aborted) this.#onProgress(progress);
      },
      signal,
    };
    const made =
      this.#landmarkers.get(kind) ??
      (kind === 'face' ? FaceLandmarker.create(options) : PoseLandmarker.create(options));
    this.#landmarkers.set(kind, made);
    try {
      return await made;
    } catch (error) {
      if (this.#landmarkers.get(kind) === made) this.#landmarkers.delete(kind);
      throw error;
    }
  }

  #discard(): void {
    const old = [...this.#landmarkers.values()];
    this.#landmarkers.clear();
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const made of old) {
      // One that could not be made has already said so to whoever waited for it.
      made.then(
        (landmarker) => {
          landmarker.close();
        },
        () => undefined,
      );
    }
  }
}
