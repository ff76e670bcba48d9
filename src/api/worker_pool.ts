/**
 * One worker for all landmarkers of a page: they share its device, and it ends with the last of them. Each landmarker holds
 * a link of its own, which ends by itself or with the worker.
 */
import { BitmarksError } from '../errors';
import { abortError, connectWorker, withinFarewell, type WorkerLink } from './worker_link';

interface SharedWorker {
  readonly link: Promise<WorkerLink>;
  /** Ends a start that nobody waits for any more. */
  readonly start: AbortController;
  users: number;
  lastId: number;
}

/** By URL of the script. */
const workers = new Map<string, SharedWorker>();

/** A landmarker's end of the worker. */
export class LandmarkerLink {
  /** Names the landmarker in calls to the service. */
  readonly id: number;
  readonly #link: WorkerLink;
  readonly #release: () => Promise<void>;
  readonly #ended = new AbortController();
  #farewell: Promise<void> | null = null;

  constructor(link: WorkerLink, id: number, release: () => Promise<void>) {
    this.#link = link;
    this.id = id;
    this.#release = release;
    const end = (): void => {
      this.#ended.abort(link.ended.reason);
    };
    link.ended.addEventListener('abort', end, { signal: this.#ended.signal });
  }

  /** Aborts when the link is closed or the worker dies. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** As WorkerLink.call; rejects with 'closed' when this link is closed, whatever becomes of the worker. */
  call<T>(
    invoke: Parameters<typeof WorkerLink.prototype.call<T>>[0],
    signal: AbortSignal | null,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.throwIfUnusable(signal);
      const ended = this.#ended.signal;
      const end = (): void => {
        reject(ended.reason as BitmarksError);
      };
      ended.addEventListener('abort', end);
      this.#link
        .call(invoke, signal)
        .then(resolve, reject)
        .finally(() => {
          ended.removeEventListener('abort', end);
        });
    });
  }

  /** Throws what a call would reject with before it is made. */
  throwIfUnusable(signal: AbortSignal | null): void {
    this.#ended.signal.throwIfAborted();
    this.#link.throwIfUnusable(signal);
  }

  /** Rejects this landmarker's calls with 'closed' and frees it in the worker. Idempotent; the promise never rejects. */
  close(): Promise<void> {
    this.#ended.abort(
      new BitmarksError('closed', 'the landmarker is closed; create another one to go on'),
    );
    this.#farewell ??= this.#release();
    return this.#farewell;
  }
}

/** Starts the worker script at an absolute URL, or joins the one that runs. Throws 'worker/failed', 'aborted'. */
export async function joinWorker(url: string, signal: AbortSignal | null): Promise<LandmarkerLink> {
  if (signal?.aborted === true) throw abortError(signal);
  const worker = workers.get(url) ?? startWorker(url);
  worker.users += 1;
  worker.lastId += 1;
  const id = worker.lastId;
  try {
    const link = await unlessAborted(worker.link, signal);
    return new LandmarkerLink(link, id, () => leave(url, worker, link, id));
  } catch (error) {
    worker.users -= 1;
    if (worker.users === 0) {
      forget(url, worker);
      worker.start.abort();
      // It may have started in the same moment.
      worker.link.then(
        (link) => link.close(),
        () => undefined,
      );
    }
    throw error;
  }
}

function startWorker(url: string): SharedWorker {
  const start = new AbortController();
  const worker = { link: connectWorker(url, start.signal), start, users: 0, lastId: 0 };
  workers.set(url, worker);
  worker.link.then(
    ({ ended }) => {
      ended.addEventListener('abort', () => {
        forget(url, worker);
      });
    },
    () => {
      forget(url, worker);
    },
  );
  return worker;
}

async function leave(
  url: string,
  worker: SharedWorker,
  link: WorkerLink,
  id: number,
): Promise<void> {
  worker.users -= 1;
  if (worker.users === 0) {
    forget(url, worker);
    await link.close();
  } else if (!link.ended.aborted) {
    await withinFarewell(link.call((service) => service.unload(id), null).catch(() => undefined));
  }
}

/** Whoever comes next starts another worker. */
function forget(url: string, worker: SharedWorker): void {
  if (workers.get(url) === worker) workers.delete(url);
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (signal === null) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      reject(abortError(signal));
    };
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
