/**
 * The link to the worker: starts it, calls it through Comlink, and sees to it that every call settles, whatever happens to
 * the worker. Knows that calls can be cancelled by id; knows nothing of what they do.
 */
import { releaseProxy, wrap, type Remote } from 'comlink';
import { BitmarksError } from '../errors';
import { PROTOCOL_VERSION, type LandmarkService, type WorkerRoot } from '../protocol/service';
import { unwrap, type WireResult, type WireService } from '../protocol/wire_errors';

/** The part of a Worker that the link uses. */
export type WorkerLike = Pick<
  Worker,
  'postMessage' | 'addEventListener' | 'removeEventListener' | 'terminate'
>;

/** A worker that has loaded answers in milliseconds; this bounds the download of its script. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
/** How long a closing worker may take to free its device before it is ended. */
const FAREWELL_TIMEOUT_MS = 2_000;

export class WorkerLink {
  readonly #worker: WorkerLike;
  readonly #service: Remote<WorkerRoot>;
  readonly #rejectCalls = new Set<(error: BitmarksError) => void>();
  readonly #onError: (event: Event) => void;
  readonly #onMessageError: () => void;
  readonly #ended = new AbortController();
  #lastCallId = 0;
  #isStarted = false;
  #end: BitmarksError | null = null;
  #farewell: Promise<void> = Promise.resolve();

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    // Error events bubble to nobody; without preventDefault they would be reported a second time as uncaught in the page.
    this.#onError = (event) => {
      event.preventDefault();
      this.#die(this.#deathOf(event));
    };
    this.#onMessageError = () => {
      this.#die(new BitmarksError('worker/crashed', 'a message of the worker could not be read'));
    };
    worker.addEventListener('error', this.#onError);
    worker.addEventListener('messageerror', this.#onMessageError);
    this.#service = wrap<WorkerRoot>(worker);
  }

  /** Aborts when the link is closed or the worker dies. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Waits for the worker's first answer. Throws 'worker/failed', 'aborted' or 'closed'. */
  async start(signal: AbortSignal | null): Promise<void> {
    const timer = setTimeout(() => {
      this.#die(
        new BitmarksError(
          'worker/failed',
          `the worker did not answer within ${HANDSHAKE_TIMEOUT_MS / 1000} s; check that its script can be loaded`,
        ),
      );
    }, HANDSHAKE_TIMEOUT_MS);
    try {
      const version = await this.#race(this.#service.protocolVersion(), signal, null);
      if (version !== PROTOCOL_VERSION) {
        throw new BitmarksError(
          'worker/failed',
          `the worker speaks protocol ${String(version)}, this script ${PROTOCOL_VERSION}; serve both files of one release`,
        );
      }
      this.#isStarted = true;
      await this.#watch(signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Makes a call that the service knows by the id it is given. An abort rejects at once with 'aborted' and tells the worker;
   * a dead worker rejects with 'worker/failed' or 'worker/crashed', a closed link with 'closed'.
   */
  async call<T>(
    invoke: (
      service: Remote<WireService<LandmarkService>>,
      callId: number,
    ) => Promise<WireResult<T>>,
    signal: AbortSignal | null,
  ): Promise<T> {
    this.throwIfUnusable(signal);
    this.#lastCallId += 1;
    const callId = this.#lastCallId;
    const answer = await this.#race(invoke(this.#service, callId), signal, () => {
      // What becomes of the cancelled call interests nobody any more.
      this.#service.cancel(callId).catch(() => undefined);
    });
    return unwrap(answer);
  }

  /** Throws what a call would reject with before it is made. */
  throwIfUnusable(signal: AbortSignal | null): void {
    if (this.#end !== null) throw this.#end;
    if (signal?.aborted === true) throw abortError(signal);
  }

  /** Rejects all calls with 'closed', lets the worker free its device, ends it. Idempotent; the promise never rejects. */
  close(): Promise<void> {
    if (this.#end === null) {
      const service = this.#service;
      this.#settleAll(
        new BitmarksError('closed', 'the landmarker is closed; create another one to go on'),
      );
      const freed = this.#isStarted ? service.close().catch(() => undefined) : undefined;
      this.#farewell = withinFarewell(freed).then(() => {
        this.#terminate();
      });
    }
    return this.#farewell;
  }

  /**
   * A worker that the browser ends, or that ends itself, says nothing. But then it loses the lock that it holds, and the page
   * gets it. Without locks only the deaths that say something are noticed.
   */
  async #watch(signal: AbortSignal | null): Promise<void> {
    const name = `bitmarks.${Date.now()}.${Math.random()}`;
    if (!(await this.#race(this.#service.holdLock(name), signal, null))) return;
    const died = (): void => {
      this.#die(
        new BitmarksError(
          'worker/crashed',
          'the worker was ended from outside; create another landmarker to go on',
        ),
      );
    };
    navigator.locks.request(name, { signal: this.#ended.signal }, died).catch(() => undefined);
  }

  /** The first of: the answer, the abort, the end of the link. */
  #race<T>(
    answer: Promise<T>,
    signal: AbortSignal | null,
    onAbort: (() => void) | null,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const abort = (): void => {
        if (signal === null) return;
        onAbort?.();
        fail(abortError(signal));
      };
      const done = (): void => {
        this.#rejectCalls.delete(fail);
        signal?.removeEventListener('abort', abort);
      };
      const fail = (error: BitmarksError): void => {
        done();
        reject(error);
      };
      this.#rejectCalls.add(fail);
      signal?.addEventListener('abort', abort);
      if (this.#end !== null) fail(this.#end);
      else if (signal?.aborted === true) abort();
      answer.then((value) => {
        done();
        resolve(value);
      }, fail);
    });
  }

  #deathOf(event: Event): BitmarksError {
    const text = 'message' in event && event.message !== '' ? String(event.message) : null;
    if (this.#isStarted) {
      return new BitmarksError(
        'worker/crashed',
        `the worker died (${text ?? 'without a message'}); create another landmarker to go on`,
      );
    }
    return new BitmarksError(
      'worker/failed',
      `the worker script could not be loaded or started (${text ?? 'no details'}); serve bitmarks.worker.js beside the ` +
        'script, with CORS headers if it is on another origin, and let the content security policy allow worker-src blob:',
    );
  }

  #die(error: BitmarksError): void {
    if (this.#end !== null) return;
    this.#settleAll(error);
    this.#terminate();
  }

  #settleAll(error: BitmarksError): void {
    this.#end = error;
    for (const reject of [...this.#rejectCalls]) reject(error);
    this.#ended.abort(error);
  }

  #terminate(): void {
    this.#worker.removeEventListener('error', this.#onError);
    this.#worker.removeEventListener('messageerror', this.#onMessageError);
    this.#service[releaseProxy]();
    this.#worker.terminate();
  }
}

/** Waits for the worker to free what it holds, but no longer than is decent. */
export async function withinFarewell(freed: Promise<unknown> | undefined): Promise<void> {
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, FAREWELL_TIMEOUT_MS));
  await Promise.race([freed, timeout]);
}

/**
 * Starts the worker script at an absolute URL. Browsers refuse worker scripts of other origins; there a script of this
 * origin that imports the foreign one takes its place. Throws 'worker/failed' and what WorkerLink.start throws.
 */
export async function connectWorker(url: string, signal: AbortSignal | null): Promise<WorkerLink> {
  if (signal?.aborted === true) throw abortError(signal);
  const isForeign = new URL(url).origin !== location.origin;
  const script = isForeign
    ? URL.createObjectURL(new Blob([importingScript(url)], { type: 'text/javascript' }))
    : url;
  let link: WorkerLink | null = null;
  try {
    link = new WorkerLink(new Worker(script, { type: 'module', name: 'bitmarks' }));
    await link.start(signal);
    return link;
  } catch (error) {
    void link?.close();
    if (error instanceof BitmarksError) throw error;
    throw new BitmarksError('worker/failed', `the worker at ${url} could not be started`, {
      cause: error,
    });
  } finally {
    if (isForeign) URL.revokeObjectURL(script);
  }
}

/**
 * Source of a worker that imports the script at `url`. The import is dynamic: content security policies hold static ones in a
 * worker to worker-src, dynamic ones to script-src, and importScripts would need more than CORS headers in an isolated page.
 * Messages that come before the script listens are kept for it.
 */
function importingScript(url: string): string {
  return `const early = [];
const keep = (event) => early.push(event);
addEventListener('message', keep);
import(${JSON.stringify(url)}).then(
  () => {
    removeEventListener('message', keep);
    for (const { data, ports } of early) dispatchEvent(new MessageEvent('message', { data, ports }));
  },
  (error) => setTimeout(() => { throw error; }),
);`;
}

/** What a call rejects with when its signal has fired. */
export function abortError({ reason }: AbortSignal): BitmarksError {
  return new BitmarksError('aborted', 'the call was aborted', { cause: reason });
}
