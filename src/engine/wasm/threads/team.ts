/**
 * The first thread's side of several threads: decides how many there can be, starts helper workers over one shared memory, has
 * them run programs, and notices when one is gone. No kernels and no plans.
 */
import type { WasmThreads } from '../../backend';
import { BitmarksError } from '../../../errors';
import { runProgram, type KernelFunction } from '../program';
import { HELPER_NAME, type HelperMessage, type HelperStart } from './helper';
import { Rendezvous, type Start } from './rendezvous';

const MOST_THREADS = 16;
/** More rarely help: the smaller layers have few rows. */
const AUTO_THREADS = 4;
const START_TIMEOUT_MS = 5_000;
/** Some 3 microseconds of one thread. */
const LEAST_SHARED_WORK = 200_000;
/** A frame takes a few milliseconds; a helper that is silent for so long is gone. */
const PATIENCE_MS = 3_000;

/** The part of the global scope that says what is possible; tests put another one in its place. */
export interface ThreadScope {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly Worker?: unknown;
  readonly WorkerGlobalScope?: unknown;
}

/** How many threads there will be, and where that is fewer than one would like, why. */
export interface ThreadCount {
  readonly threads: number;
  readonly reason: string | null;
}

/** 1 where threads cannot be had; never throws. */
export function chooseThreads(
  options: WasmThreads | undefined,
  scope: ThreadScope = globalThis,
): ThreadCount {
  if (options === undefined || options.count === 1) return { threads: 1, reason: null };
  const alone = (reason: string): ThreadCount => ({ threads: 1, reason });
  if (scope.crossOriginIsolated !== true) return alone('the page is not cross-origin isolated');
  // Waiting is forbidden on a page's main thread.
  if (scope.WorkerGlobalScope === undefined) return alone('the engine is not in a worker');
  if (scope.Worker === undefined) return alone('workers cannot start workers here');
  const cores = scope.navigator?.hardwareConcurrency ?? 1;
  const threads = Math.min(options.count ?? Math.min(cores, AUTO_THREADS), MOST_THREADS);
  return threads > 1 ? { threads, reason: null } : alone('there is one core');
}

/** What a team starts with. */
export interface TeamOptions
  extends Omit<HelperStart, 'thread'>, Omit<WasmThreads, 'urls' | 'count'> {}

export class Team {
  readonly threads: number;
  readonly leastSharedWork: number;
  readonly #helpers: readonly Worker[];
  readonly #rendezvous: Rendezvous;
  /** Why the team is no more. */
  #end: string | null = null;

  private constructor(options: TeamOptions, helpers: readonly Worker[]) {
    const { threads, memory, patienceMs, leastSharedWork } = options;
    this.threads = threads;
    this.leastSharedWork = leastSharedWork ?? LEAST_SHARED_WORK;
    this.#helpers = helpers;
    this.#rendezvous = new Rendezvous(memory, threads, patienceMs ?? PATIENCE_MS);
    for (const helper of helpers) {
      helper.addEventListener('error', (event) => {
        event.preventDefault();
        this.close('a helper thread died');
      });
    }
  }

  /** Resolves when all helpers wait for work. Rejects when one cannot be started; then none stays. */
  static async start(options: TeamOptions): Promise<Team> {
    const { helperUrl, threads, ...start } = options;
    const script = new HelperScript(helperUrl);
    const helpers: Worker[] = [];
    try {
      for (let thread = 1; thread < threads; thread++) {
        helpers.push(new Worker(script.url, { type: 'module', name: HELPER_NAME }));
      }
      await Promise.all(
        helpers.map((helper, index) =>
          startHelper(helper, {
            variant: start.variant,
            module: start.module,
            memory: start.memory,
            thread: index + 1,
            threads,
          }),
        ),
      );
      return new Team(options, helpers);
    } catch (error) {
      for (const helper of helpers) helper.terminate();
      throw error;
    } finally {
      script.release();
    }
  }

  /** Why there are no helpers any more; null while there are. */
  get end(): string | null {
    return this.#end;
  }

  /**
   * Runs a program on all threads; `own` is the first thread's part. Throws 'backend/failed' when a helper does not do its part;
   * the team is over then.
   */
  run(start: Start, own: Int32Array, functions: readonly KernelFunction[]): void {
    this.#rendezvous.start(start);
    try {
      runProgram(own, functions, () => {
        this.#rendezvous.meet();
      });
    } catch (cause) {
      this.close('a helper thread stopped answering');
      throw new BitmarksError(
        'backend/failed',
        'a helper thread stopped answering; the next call runs on one thread',
        { cause },
      );
    }
  }

  /** Ends the helpers. Idempotent; the first reason stays. */
  close(reason: string): void {
    this.#end ??= reason;
    for (const helper of this.#helpers) helper.terminate();
  }
}

/** A worker's script must be of its own origin; another one's is imported by a script that is. */
class HelperScript {
  readonly url: string;
  readonly #isBlob: boolean;

  constructor(url: string) {
    this.#isBlob = new URL(url).origin !== location.origin;
    // A dynamic import, as in the worker's own start: content security policies hold it to script-src.
    const source = `import(${JSON.stringify(url)}).catch((error) => setTimeout(() => { throw error; }));`;
    this.url = this.#isBlob
      ? URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
      : url;
  }

  release(): void {
    if (this.#isBlob) URL.revokeObjectURL(this.url);
  }
}

function startHelper(helper: Worker, start: HelperStart): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      done();
      reject(new Error(reason));
    };
    const timer = setTimeout(() => {
      fail('a helper thread did not start in time');
    }, START_TIMEOUT_MS);
    const hear = ({ data }: MessageEvent): void => {
      const message = data as HelperMessage;
      if (message === 'listening') helper.postMessage(start);
      if (message !== 'ready') return;
      done();
      resolve();
    };
    const die = (event: Event): void => {
      event.preventDefault();
      fail('a helper thread could not be started');
    };
    const done = (): void => {
      clearTimeout(timer);
      helper.removeEventListener('message', hear);
      helper.removeEventListener('error', die);
    };
    helper.addEventListener('message', hear);
    helper.addEventListener('error', die);
  });
}
