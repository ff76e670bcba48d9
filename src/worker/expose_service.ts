/**
 * Puts the service behind Comlink: builds it from the real parts, turns errors into data, and makes rejections that nobody
 * awaits visible to the page. The one file of the worker that touches its global scope.
 */
import { expose, releaseProxy, type Endpoint } from 'comlink';
import { openAssetCache } from '../engine/asset_cache';
import type { BackendOptions } from '../engine/backend';
import { backendOrder, loadFactory, openBackend } from '../engine/registry';
import { Session } from '../engine/session';
import { shareBackends } from '../engine/shared_backends';
import { parsePack } from '../model/pack';
import {
  PROTOCOL_VERSION,
  type LandmarkService,
  type LoadProgress,
  type LoadRequest,
  type WorkerRoot,
} from '../protocol/service';
import { settle } from '../protocol/wire_errors';
import { FrameReader } from './frame_pixels';
import { createLandmarkService } from './landmark_service';
import { fetchPack } from './model_loader';

/** A message of our own comes after those that are waiting. Timers would wait for 4 ms. */
function yieldToMessages(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The service with the real network, engine and canvas. */
export function createRealService(): LandmarkService {
  const reader = new FrameReader();
  const loadShared = shareBackends(loadFactory);
  return createLandmarkService({
    fetchPack,
    openCache: openAssetCache,
    warmUp: async (request) => {
      const order = backendOrder(request.backend);
      const asItIs = <T>(backend: T): Promise<T> => Promise.resolve(backend);
      const { backend } = await openBackend(order, engineOf(request), asItIs, loadShared);
      return () => {
        backend.close();
      };
    },
    parsePack,
    openSession: (model, request, onPhase, pass) =>
      Session.create(model, {
        backend: request.backend,
        engine: engineOf(request),
        selfTest: request.selfTest,
        ...(pass === undefined ? {} : { pass }),
        onPhase,
        loadFactory: loadShared,
      }),
    readPixels: (frame) => reader.read(frame),
    yieldToMessages,
    release: () => {
      reader.close();
    },
    nowMs: () => performance.now(),
  });
}

function engineOf({
  wasmUrls,
  webgpuUrl,
  webgpuKernels,
  wasmVariant,
  wasmThreads,
  cache,
}: LoadRequest): BackendOptions {
  return {
    wasmUrls,
    webgpuUrl,
    cache,
    ...(webgpuKernels === undefined ? {} : { webgpuKernels }),
    ...(wasmVariant === undefined ? {} : { wasmVariant }),
    ...(wasmThreads === undefined ? {} : { wasmThreads }),
  };
}

/** Answers the calls that come in at the endpoint; default: this worker's own. */
export function exposeService(service: LandmarkService, endpoint?: Endpoint): void {
  const root: WorkerRoot = {
    protocolVersion: () => Promise.resolve(PROTOCOL_VERSION),
    holdLock,
    load: (request, onProgress) =>
      settle(async () => {
        try {
          return await service.load(request, quietly(onProgress));
        } finally {
          release(onProgress);
        }
      }),
    detect: (request) => settle(() => service.detect(request)),
    endStream: (landmarkerId, id) => settle(() => service.endStream(landmarkerId, id)),
    info: (landmarkerId) => settle(() => service.info(landmarkerId)),
    cancel: (callId) => settle(() => service.cancel(callId)),
    unload: (landmarkerId) => settle(() => service.unload(landmarkerId)),
    close: () => settle(() => service.close()),
  };
  expose(root, endpoint);
}

function holdLock(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const held = new Promise<never>(() => undefined);
    const hold = (): Promise<never> => {
      resolve(true);
      return held;
    };
    // Insecure contexts have no locks, sandboxed ones refuse them, and Node 20, where tests run, has no navigator.
    const scope = globalThis as { readonly navigator?: { readonly locks?: LockManager } };
    const locks = scope.navigator?.locks;
    if (locks === undefined) resolve(false);
    else locks.request(name, hold).catch(() => resolve(false));
  });
}

/** Rethrows rejections that nobody handles, because only uncaught errors reach the page's Worker object. */
export function reportRejections(): void {
  addEventListener('unhandledrejection', (event) => {
    reportError(event.reason);
  });
}

/** The callback lives in the page: calling it gives a promise, whose failure is none of the call's business. */
function quietly(
  onProgress: ((progress: LoadProgress) => unknown) | undefined,
): ((progress: LoadProgress) => void) | undefined {
  if (onProgress === undefined) return undefined;
  return (progress) => {
    Promise.resolve(onProgress(progress)).catch(() => undefined);
  };
}

/** Frees the port behind a callback of the page; does nothing to other values. */
function release(callback: object | undefined): void {
  if (callback === undefined) return;
  // Comlink's proxies answer to this symbol but do not admit to having it.
  const free = Reflect.get(callback, releaseProxy) as (() => void) | undefined;
  free?.();
}
