/**
 * The link to the worker over a real message channel, with the worker's end in this thread: calls, errors, aborts, deaths.
 */
import { expose, proxy } from 'comlink';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WorkerLink, type WorkerLike } from '../../src/api/worker_link';
import { BitmarksError } from '../../src/errors';
import type { LandmarkService, LoadRequest } from '../../src/protocol/service';
import { exposeService } from '../../src/worker/expose_service';
import { codeOf } from '../helpers/codes';

const ports: MessagePort[] = [];
afterEach(() => {
  ports.splice(0).forEach((port) => {
    port.close();
  });
  vi.useRealTimers();
});

/** A link whose worker answers with this service, or with nothing at all. */
function setUp(service: Partial<LandmarkService> | null) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  if (service !== null) exposeService(service as LandmarkService, port2);
  const terminate = vi.fn();
  const events = new EventTarget();
  // A port has no error events, a Worker has.
  const worker = {
    postMessage: port1.postMessage.bind(port1),
    addEventListener: (type: string, listener: EventListener) => {
      (type === 'message' ? port1 : events).addEventListener(type, listener);
      if (type === 'message') port1.start();
    },
    removeEventListener: (type: string, listener: EventListener) => {
      (type === 'message' ? port1 : events).removeEventListener(type, listener);
    },
    terminate,
  } as unknown as WorkerLike;
  const fail = (message?: string) => {
    events.dispatchEvent(Object.assign(new Event('error', { cancelable: true }), { message }));
  };
  return { link: new WorkerLink(worker), terminate, events, fail };
}

const never = new Promise<never>(() => undefined);

describe('start', () => {
  it('resolves when the worker answers', async () => {
    const { link } = setUp({});
    await expect(link.start(null)).resolves.toBeUndefined();
  });

  it('gives worker/failed when the script fails to load', async () => {
    const { link, fail, terminate } = setUp(null);
    const started = link.start(null);
    fail('SyntaxError: x');
    await expect(started).rejects.toMatchObject({
      code: 'worker/failed',
      message: expect.stringContaining('(SyntaxError: x)') as string,
    });
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('gives worker/failed when nobody answers', async () => {
    vi.useFakeTimers();
    const { link, terminate } = setUp(null);
    const started = codeOf(link.start(null));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await started).toBe('worker/failed');
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('gives worker/failed when the worker is of another release', async () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    expose({ protocolVersion: () => Promise.resolve(999) }, port2);
    const link = new WorkerLink(Object.assign(port1, { terminate: () => undefined }));
    await expect(link.start(null)).rejects.toMatchObject({
      code: 'worker/failed',
      message: expect.stringContaining('protocol 999') as string,
    });
  });

  it('gives aborted as soon as the signal fires', async () => {
    const { link } = setUp(null);
    const controller = new AbortController();
    const started = link.start(controller.signal);
    controller.abort('changed my mind');
    await expect(started).rejects.toMatchObject({ code: 'aborted', cause: 'changed my mind' });
  });
});

describe('call', () => {
  it('carries values and callbacks', async () => {
    const seen: unknown[] = [];
    const { link } = setUp({
      load: (request, onProgress) => {
        seen.push(request);
        onProgress?.({ loadedBytes: 1, totalBytes: 2, phase: 'download' });
        return Promise.resolve({ backend: 'wasm' } as never);
      },
    });
    const request = { callId: 1 } as LoadRequest;
    const onProgress = vi.fn();
    const info = await link.call((service) => service.load(request, proxy(onProgress)), null);
    expect(info).toEqual({ backend: 'wasm' });
    expect(seen).toEqual([request]);
    await vi.waitFor(() => {
      expect(onProgress).toHaveBeenCalledExactlyOnceWith({
        loadedBytes: 1,
        totalBytes: 2,
        phase: 'download',
      });
    });
  });

  it('carries errors with code, message and cause', async () => {
    const { link } = setUp({
      info: () =>
        Promise.reject(
          new BitmarksError('pack/hash', 'damaged', { cause: new Error('bit 3 flipped') }),
        ),
    });
    const error: unknown = await link
      .call((service) => service.info(1), null)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BitmarksError);
    expect(error).toMatchObject({ code: 'pack/hash', message: 'damaged' });
    expect(((error as Error).cause as Error).message).toContain('bit 3 flipped');
  });

  it('gives every call an id of its own', async () => {
    const { link } = setUp({ info: () => Promise.resolve({} as never) });
    const ids: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await link.call((service, callId) => {
        ids.push(callId);
        return service.info(1);
      }, null);
    }
    expect(new Set(ids).size).toBe(3);
  });

  it('rejects an aborted call at once and cancels it in the worker', async () => {
    const cancelled: number[] = [];
    const { link } = setUp({
      info: () => never,
      cancel: (callId) => {
        cancelled.push(callId);
        return Promise.resolve();
      },
    });
    const controller = new AbortController();
    let id = 0;
    const call = codeOf(
      link.call((service, callId) => {
        id = callId;
        return service.info(1);
      }, controller.signal),
    );
    await Promise.resolve();
    controller.abort();
    expect(await call).toBe('aborted');
    await vi.waitFor(() => {
      expect(cancelled).toEqual([id]);
    });
  });

  it('is not made with a signal that has fired', async () => {
    const { link } = setUp({});
    const invoke = vi.fn();
    expect(await codeOf(link.call(invoke, AbortSignal.abort()))).toBe('aborted');
    expect(invoke).not.toHaveBeenCalled();
  });

  it('leaves no listener on the signal of a finished call', async () => {
    const { link } = setUp({ info: () => Promise.resolve({} as never) });
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await link.call((service) => service.info(1), signal);
    expect(added).toHaveBeenCalledOnce();
    expect(removed).toHaveBeenCalledOnce();
  });
});

describe('the end of the worker', () => {
  it('rejects all calls in flight and to come with worker/crashed', async () => {
    const { link, fail, terminate } = setUp({ info: () => never });
    await link.start(null);
    const calls = [1, 2].map(() => codeOf(link.call((service) => service.info(1), null)));
    await Promise.resolve();
    fail('RangeError: out of memory');
    expect(await Promise.all(calls)).toEqual(['worker/crashed', 'worker/crashed']);
    expect(await codeOf(link.call((service) => service.info(1), null))).toBe('worker/crashed');
    expect(link.ended.aborted).toBe(true);
    expect(terminate).toHaveBeenCalledOnce();
    await link.close();
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('includes messages that cannot be read', async () => {
    const { link, events } = setUp({ info: () => never });
    await link.start(null);
    const call = codeOf(link.call((service) => service.info(1), null));
    events.dispatchEvent(new Event('messageerror'));
    expect(await call).toBe('worker/crashed');
  });
});

describe('close', () => {
  it('rejects calls in flight and to come with closed, and ends the worker after its farewell', async () => {
    const closed = vi.fn(() => Promise.resolve());
    const { link, terminate } = setUp({ info: () => never, close: closed });
    await link.start(null);
    const call = codeOf(link.call((service) => service.info(1), null));
    const farewell = link.close();
    expect(await call).toBe('closed');
    expect(await codeOf(link.call((service) => service.info(1), null))).toBe('closed');
    await farewell;
    expect(closed).toHaveBeenCalledOnce();
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('may be called again', async () => {
    const { link, terminate } = setUp({ close: () => Promise.resolve() });
    await link.start(null);
    await Promise.all([link.close(), link.close()]);
    await link.close();
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('ends a worker that does not answer any more', async () => {
    const { link, terminate } = setUp({ close: () => never });
    await link.start(null);
    vi.useFakeTimers();
    const farewell = link.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await farewell;
    expect(terminate).toHaveBeenCalledOnce();
  });

  it('ends a worker that has not started', async () => {
    const { link, terminate } = setUp(null);
    const started = codeOf(link.start(null));
    await link.close();
    expect(await started).toBe('closed');
    expect(terminate).toHaveBeenCalledOnce();
  });
});
