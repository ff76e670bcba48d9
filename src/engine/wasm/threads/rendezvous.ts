/**
 * How threads wait for each other: words in the shared memory, read in a short loop and then slept on. The first thread starts
 * the helpers on a program, and all meet at its barriers. Atomic operations only; knows no workers.
 */

/** Indices of 32-bit words; the counters lie in cache lines of their own. */
const GENERATION = 0;
const PROGRAM_ADDRESS = 1;
const PROGRAM_WORDS = 2;
const ARRIVALS = 128;
/** Looks at a word before sleeping: some 50 microseconds. A sleep costs about as much to end. */
const SPINS = 20_000;
const SLICE_MS = 100;

/** What a helper is to run: its own list begins at `address` + thread * `words` * 4. */
export interface Start {
  readonly address: number;
  readonly words: number;
}

export class Rendezvous {
  readonly #words: Int32Array;
  readonly #threads: number;
  readonly #patienceMs: number;
  #generation = 0;
  #arrivals = 0;

  /** Waits longer than `patienceMs` at a barrier throw. */
  constructor(memory: WebAssembly.Memory, threads: number, patienceMs: number) {
    this.#words = new Int32Array(memory.buffer, 0, ARRIVALS + 1);
    this.#threads = threads;
    this.#patienceMs = patienceMs;
  }

  /** First thread: wakes the helpers. */
  start({ address, words }: Start): void {
    Atomics.store(this.#words, PROGRAM_ADDRESS, address);
    Atomics.store(this.#words, PROGRAM_WORDS, words);
    Atomics.add(this.#words, GENERATION, 1);
    Atomics.notify(this.#words, GENERATION);
  }

  /** Helpers: sleeps until the next start. */
  awaitStart(): Start {
    const words = this.#words;
    const known = this.#generation;
    for (let spin = 0; Atomics.load(words, GENERATION) === known; spin++) {
      if (spin > SPINS) Atomics.wait(words, GENERATION, known);
    }
    this.#generation = (known + 1) | 0;
    return {
      address: Atomics.load(words, PROGRAM_ADDRESS),
      words: Atomics.load(words, PROGRAM_WORDS),
    };
  }

  /** Returns when every thread has come here. Throws when one does not. */
  meet(): void {
    const words = this.#words;
    const goal = (this.#arrivals + this.#threads) | 0;
    this.#arrivals = goal;
    let arrived = (Atomics.add(words, ARRIVALS, 1) + 1) | 0;
    if (arrived === goal) {
      Atomics.notify(words, ARRIVALS);
      return;
    }
    let sinceMs = 0;
    // Differences, as the counter wraps around.
    for (let spin = 0; ((arrived - goal) | 0) < 0; spin++) {
      if (spin > SPINS) {
        if (sinceMs === 0) sinceMs = performance.now();
        else if (performance.now() - sinceMs > this.#patienceMs) {
          throw new Error('a thread did not come to the barrier');
        }
        Atomics.wait(words, ARRIVALS, arrived, SLICE_MS);
      }
      arrived = Atomics.load(words, ARRIVALS);
    }
  }
}
