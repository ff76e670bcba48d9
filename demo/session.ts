/**
 * The page's landmarker: made when first needed, made anew when the user chooses another backend or the worker has died.
 * Shows nothing.
 */
import { BitmarksError, FaceLandmarker, type LoadProgress } from '../src/index';

export type BackendName = 'auto' | 'webgpu' | 'wasm';

export const BACKEND_NAMES: readonly BackendName[] = ['auto', 'webgpu', 'wasm'];

export class Session {
  readonly #onProgress: (progress: LoadProgress) => void;
  #backend: BackendName;
  #abort = new AbortController();
  #landmarker: Promise<FaceLandmarker> | null = null;

  constructor(backend: BackendName, onProgress: (progress: LoadProgress) => void) {
    this.#backend = backend;
    this.#onProgress = onProgress;
  }

  /** Closes the landmarker at hand; the next get() makes one for `backend`. */
  use(backend: BackendName): void {
    this.#discard();
    this.#backend = backend;
  }

  /** The landmarker; waits while it is being made. Rejects as FaceLandmarker.create does, and then tries anew next time. */
  async get(): Promise<FaceLandmarker> {
    const { signal } = this.#abort;
    this.#landmarker ??= FaceLandmarker.create({
      delegate: this.#backend,
      onProgress: (progress) => {
        if (!signal.aborted) this.#onProgress(progress);
      },
      signal,
    });
    const made = this.#landmarker;
    try {
      return await made;
    } catch (error) {
      if (this.#landmarker === made) this.#landmarker = null;
      throw error;
    }
  }

  /** Tells of an error of a call, so that a landmarker that can do no more is replaced. */
  failed(error: unknown): void {
    if (
      error instanceof BitmarksError &&
      ['worker/crashed', 'device/lost', 'backend/failed'].includes(error.code)
    ) {
      this.#discard();
    }
  }

  #discard(): void {
    const old = this.#landmarker;
    this.#landmarker = null;
    this.#abort.abort();
    this.#abort = new AbortController();
    // One that could not be made has already said so to whoever waited for it.
    old?.then(
      (landmarker) => {
        landmarker.close();
      },
      () => undefined,
    );
  }
}
