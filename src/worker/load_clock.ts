/**
 * Where the time of loading a landmarker goes. Times only.
 */
import type { LoadTimings } from '../protocol/service';

/** What follows the download, one after the other, some more than once: every network is compiled and tested. */
type Phase = 'parse' | 'compile' | 'self-test';

export class LoadClock {
  readonly #workerMs: number;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #downloadMs = 0;
  #backendMs: number | null = null;
  #isCopy = false;
  readonly #phases = { parse: 0, compile: 0, 'self-test': 0 };
  #phase: Phase = 'parse';
  #sinceMs: number;

  /** Starts with the downloads, `workerMs` after the call. */
  constructor(workerMs: number, nowMs: () => number) {
    this.#workerMs = workerMs;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#sinceMs = this.#startMs;
  }

  /** The packs are there; now they are parsed. */
  downloaded(isCopy: boolean): void {
    this.#isCopy = isCopy;
    this.#sinceMs = this.#nowMs();
    this.#downloadMs = this.#sinceMs - this.#startMs;
  }

  /** The backend is open, or cannot be. */
  backendDone(): void {
    this.#backendMs = this.#nowMs() - this.#startMs;
  }

  enter(phase: Phase): void {
    const nowMs = this.#nowMs();
    this.#phases[this.#phase] += nowMs - this.#sinceMs;
    this.#phase = phase;
    this.#sinceMs = nowMs;
  }

  /** All is ready. */
  finish(): LoadTimings {
    this.enter('compile');
    const sinceStartMs = this.#sinceMs - this.#startMs;
    return {
      workerMs: this.#workerMs,
      downloadMs: this.#downloadMs,
      backendMs: this.#backendMs ?? sinceStartMs,
      parseMs: this.#phases.parse,
      compileMs: this.#phases.compile,
      selfTestMs: this.#phases['self-test'],
      totalMs: this.#workerMs + sinceStartMs,
      isCopy: this.#isCopy,
    };
  }
}
