/**
 * The service behind the worker boundary: load, detect, close, for several landmarkers, one call at a time. Wiring only:
 * pixels come from frame_pixels.ts, numbers from the engine, landmarks from the pipeline.
 */
import { keepCopy, type CacheLike } from '../engine/asset_cache';
import { BitmarksError } from '../errors';
import type { EngineInput } from '../engine/backend';
import type { Model } from '../model/types';
import { roiToCropAffine } from '../pipeline/roi';
import { closeFrame } from '../protocol/frame';
import type { LandmarkResult, RegionOfInterest } from '../protocol/result';
import type {
  DetectRequest,
  FramePayload,
  LandmarkService,
  LoadProgress,
  LoadRequest,
  SessionInfo,
} from '../protocol/service';
import type { FramePixels } from './frame_pixels';
import {
  closeNetworks,
  infoOf,
  openNetworks,
  type Landmarker,
  type Models,
  type OpenSession,
} from './landmarker';
import { LoadClock } from './load_clock';
import { readPacks, type FetchPack } from './pack_reader';

export interface ServiceDeps {
  readonly fetchPack: FetchPack;
  /** The cache that copies are kept in; null where there is none. */
  readonly openCache: () => Promise<CacheLike | null>;
  /** Opens the backend that sessions will share, as far as that goes without a model; the function returned lets go of it. */
  readonly warmUp: (request: LoadRequest) => Promise<() => void>;
  readonly parsePack: (file: Uint8Array) => Model;
  readonly openSession: OpenSession;
  /** Pixels of a frame, which stays open. */
  readonly readPixels: (frame: FramePayload) => Promise<FramePixels>;
  /** Resolves after the messages that have come in were handed out. */
  readonly yieldToMessages: () => Promise<void>;
  /** Called by close, last. */
  readonly release: () => void;
  readonly nowMs: () => number;
}

/** A search on WASM is one long task, in which no cancel() would arrive; it makes room for messages this often. */
const YIELD_INTERVAL_MS = 20;

interface CapturedPixels {
  readonly pixels: FramePixels & { readonly id: number };
  readonly captureMs: number;
}

interface Call {
  readonly landmarkerId: number;
  readonly controller: AbortController;
}

export function createLandmarkService(deps: ServiceDeps): LandmarkService {
  return new Service(deps);
}

class Service implements LandmarkService {
  readonly #deps: ServiceDeps;
  /** Calls that have come in and are not done, by id. */
  readonly #calls = new Map<number, Call>();
  readonly #landmarkers = new Map<number, Landmarker>();
  #isClosed = false;
  /** Frames so far; names their pixels for the engine. */
  #frameCount = 0;
  /** Settles, and never rejects, when all turns so far are done. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
  }

  load(request: LoadRequest, onProgress?: (progress: LoadProgress) => void): Promise<SessionInfo> {
    return this.#call(request, async (signal) => {
      const { nowMs, warmUp, openSession } = this.#deps;
      const clock = new LoadClock(request.workerMs, nowMs);
      // Beside the download; sessions find the backend open, or give the reason why it cannot be.
      const warm = warmUp(request).finally(() => {
        clock.backendDone();
      });
      // Where it fails before the packs are there, the sessions say why; until then nobody waits for it.
      warm.catch(() => undefined);
      try {
        const report = onProgress ?? (() => undefined);
        const { models, loadedBytes } = await this.#readModels(request, signal, report, clock);
        const size = { loadedBytes, totalBytes: loadedBytes };
        return await this.#inTurn(signal, async () => {
          const onPhase = (phase: 'compile' | 'self-test'): void => {
            clock.enter(phase);
            report({ ...size, phase });
          };
          const networks = await openNetworks(models, request, openSession, signal, onPhase, nowMs);
          if (signal.aborted) {
            closeNetworks(networks);
            signal.throwIfAborted();
          }
          const loaded = { ...networks, timings: clock.finish() };
          report({ ...size, phase: 'ready' });
          this.#drop(request.landmarkerId);
          this.#landmarkers.set(request.landmarkerId, loaded);
          return infoOf(loaded);
        });
      } finally {
        warm.then(
          (release) => {
            release();
          },
          () => undefined,
        );
      }
    });
  }

  async detect(request: DetectRequest): Promise<LandmarkResult> {
    try {
      return await this.#call(request, (signal) => {
        signal.throwIfAborted();
        // Before its turn: the frame is read and brought to the device while that works for another landmarker.
        const capture = this.#capture(request);
        capture.catch(() => undefined);
        return this.#inTurn(signal, async () => this.#detect(request, await capture, signal));
      });
    } finally {
      closeFrame(request.frame);
    }
  }

  async endStream(landmarkerId: number, id: number): Promise<void> {
    // After the frames of the stream that are still in the queue.
    await this.#queue;
    this.#landmarkers.get(landmarkerId)?.pipeline.endStream(id);
  }

  info(landmarkerId: number): Promise<SessionInfo> {
    return Promise.resolve().then(() => infoOf(this.#require(landmarkerId)));
  }

  cancel(callId: number): Promise<void> {
    const aborted = new BitmarksError('aborted', 'the call was aborted');
    this.#calls.get(callId)?.controller.abort(aborted);
    return Promise.resolve();
  }

  async unload(landmarkerId: number): Promise<void> {
    for (const call of this.#calls.values()) {
      if (call.landmarkerId === landmarkerId) call.controller.abort(closedError());
    }
    await this.#queue;
    this.#drop(landmarkerId);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { controller } of this.#calls.values()) controller.abort(closedError());
    await this.#queue;
    for (const id of [...this.#landmarkers.keys()]) this.#drop(id);
    this.#deps.release();
  }

  /** Downloads and parses the packs, and keeps copies of those that proved good. */
  async #readModels(
    { packs, cache: keeps }: LoadRequest,
    signal: AbortSignal,
    report: (progress: LoadProgress) => void,
    clock: LoadClock,
  ): Promise<{ readonly models: Models; readonly loadedBytes: number }> {
    const { fetchPack, parsePack, openCache } = this.#deps;
    const cache = keeps ? await openCache() : null;
    const sources = packs.finder === null ? [packs.landmarks] : [packs.landmarks, packs.finder];
    const files = await readPacks(
      sources,
      (url, options) => fetchPack(url, { ...options, cache }),
      signal,
      report,
    );
    clock.downloaded(files.every(({ isCopy }) => isCopy));
    const [landmarks, finder = null] = files.map(({ bytes }) => parsePack(bytes)) as [
      Model,
      Model?,
    ];
    clock.enter('compile');
    sources.forEach((source, index) => {
      const file = files[index];
      if (!('url' in source) || file === undefined || file.isCopy) return;
      void keepCopy(source.url, file.bytes, 'application/octet-stream', cache);
    });
    const loadedBytes = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return { models: { landmarks, finder }, loadedBytes };
  }

  /** Runs the call with a signal that aborts by cancel(callId), unload(landmarkerId) and close(). */
  async #call<T>(
    { callId, landmarkerId }: Pick<LoadRequest, 'callId' | 'landmarkerId'>,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    if (this.#isClosed) controller.abort(closedError());
    this.#calls.set(callId, { landmarkerId, controller });
    try {
      return await run(controller.signal);
    } finally {
      this.#calls.delete(callId);
    }
  }

  /** Waits for the turns before, of all landmarkers: they share one device. The signal is checked first. */
  #inTurn<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => {
      signal.throwIfAborted();
      return run();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #drop(landmarkerId: number): void {
    const landmarker = this.#landmarkers.get(landmarkerId);
    this.#landmarkers.delete(landmarkerId);
    if (landmarker !== undefined) closeNetworks(landmarker);
  }

  async #capture({ frame, landmarkerId }: DetectRequest): Promise<CapturedPixels> {
    const { nowMs, readPixels } = this.#deps;
    const startMs = nowMs();
    this.#frameCount += 1;
    const id = this.#frameCount;
    const { data, width, height } = await readPixels(frame);
    const pixels = { data, width, height, id };
    // The bytes are ours now: the frame, a camera's buffer perhaps, need not wait for the network.
    closeFrame(frame);
    this.#landmarkers.get(landmarkerId)?.landmarks.session.stage(pixels);
    return { pixels, captureMs: nowMs() - startMs };
  }

  async #detect(
    { timestampMs, stream, options, landmarkerId }: DetectRequest,
    { pixels, captureMs }: CapturedPixels,
    signal: AbortSignal,
  ): Promise<LandmarkResult> {
    const { nowMs, yieldToMessages } = this.#deps;
    const { pipeline, landmarks, finder } = this.#require(landmarkerId);
    const startMs = nowMs();
    const { width, height } = pixels;
    let inferences = 0;
    let inferenceMs = 0;
    let lastYieldMs = startMs;
    const inferring =
      <T>(cropSize: number, run: (input: EngineInput) => Promise<T>) =>
      async (region: RegionOfInterest, isMirrored = false): Promise<T> => {
        if (nowMs() - lastYieldMs > YIELD_INTERVAL_MS) {
          await yieldToMessages();
          lastYieldMs = nowMs();
        }
        signal.throwIfAborted();
        const crop = roiToCropAffine(region, pixels, cropSize, isMirrored);
        const inferStartMs = nowMs();
        const result = await run({ kind: 'frame', ...pixels, ...crop });
        inferenceMs += nowMs() - inferStartMs;
        inferences += 1;
        return result;
      };
    const finding = finder ?? landmarks;
    const networks = {
      landmarks: inferring(landmarks.cropSize, (input) => landmarks.session.runSums(input)),
      finder: inferring(finding.cropSize, (input) => finding.session.run(input)),
    };
    const size = { width, height };
    const subjects =
      stream === null
        ? await pipeline.detect(size, networks, options)
        : await pipeline.detectInStream(stream.id, size, timestampMs, networks, options);
    const totalMs = captureMs + nowMs() - startMs;
    const timings = { captureMs, inferenceMs, totalMs, inferences };
    const { backend } = landmarks.session.state;
    return { subjects, timestampMs, width, height, timings, backend };
  }

  #require(landmarkerId: number): Landmarker {
    const landmarker = this.#landmarkers.get(landmarkerId);
    if (landmarker !== undefined) return landmarker;
    throw new BitmarksError('closed', 'no model is loaded; load one before the first detect');
  }
}

function closedError(): BitmarksError {
  return new BitmarksError('closed', 'the landmarker was closed');
}
