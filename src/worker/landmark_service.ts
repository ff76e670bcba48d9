/**
 * The service behind the worker boundary: load, detect, close, one call at a time. Wiring only: pixels come from
 * frame_pixels.ts, numbers from the engine, landmarks from the pipeline.
 */
import type { Session } from '../engine/session';
import { BitmarksError } from '../errors';
import type { Model } from '../model/types';
import { LandmarkPipeline } from '../pipeline/landmark_pipeline';
import type { Infer } from '../pipeline/locate';
import { checkTask, landmarkModelOf } from '../pipeline/pack_models';
import { roiToCropAffine } from '../pipeline/roi';
import { TASKS } from '../pipeline/tasks';
import { closeFrame } from '../protocol/frame';
import type { LandmarkResult } from '../protocol/result';
import type {
  DetectRequest,
  FramePayload,
  LandmarkService,
  LoadProgress,
  LoadRequest,
  SessionInfo,
} from '../protocol/service';
import type { FramePixels } from './frame_pixels';
import type { FetchPackOptions } from './model_loader';

/** The part of a session that the service uses. */
export type EngineSession = Pick<Session, 'state' | 'run' | 'close'>;

export interface ServiceDeps {
  readonly fetchPack: (url: string, options: FetchPackOptions) => Promise<Uint8Array>;
  readonly parsePack: (file: Uint8Array) => Model;
  /** Takes the first backend that runs the model, after its self-test if `request.selfTest`. */
  readonly openSession: (
    model: Model,
    request: LoadRequest,
    onPhase: (phase: 'compile' | 'self-test') => void,
  ) => Promise<EngineSession>;
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

interface Loaded {
  readonly model: Model;
  readonly session: EngineSession;
  readonly pipeline: LandmarkPipeline;
  readonly cropSize: number;
  readonly timings: SessionInfo['timings'];
}

export function createLandmarkService(deps: ServiceDeps): LandmarkService {
  return new Service(deps);
}

class Service implements LandmarkService {
  readonly #deps: ServiceDeps;
  /** Calls that have come in and are not done, by id. */
  readonly #calls = new Map<number, AbortController>();
  #loaded: Loaded | null = null;
  #isClosed = false;
  /** Settles, and never rejects, when all calls so far are done. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
  }

  load(request: LoadRequest, onProgress?: (progress: LoadProgress) => void): Promise<SessionInfo> {
    return this.#enqueue(request.callId, async (signal) => {
      const report = onProgress ?? (() => undefined);
      const loaded = await this.#open(request, signal, report);
      if (signal.aborted) {
        loaded.session.close();
        signal.throwIfAborted();
      }
      this.#loaded?.session.close();
      this.#loaded = loaded;
      return infoOf(loaded);
    });
  }

  async detect(request: DetectRequest): Promise<LandmarkResult> {
    try {
      return await this.#enqueue(request.callId, (signal) => this.#detect(request, signal));
    } finally {
      closeFrame(request.frame);
    }
  }

  async endStream(id: number): Promise<void> {
    // After the frames of the stream that are still in the queue.
    await this.#queue;
    this.#loaded?.pipeline.endStream(id);
  }

  info(): Promise<SessionInfo> {
    return Promise.resolve().then(() => infoOf(this.#requireLoaded()));
  }

  cancel(callId: number): Promise<void> {
    this.#calls.get(callId)?.abort(new BitmarksError('aborted', 'the call was aborted'));
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#calls.values()) call.abort(closedError());
    await this.#queue;
    this.#loaded?.session.close();
    this.#loaded = null;
    this.#deps.release();
  }

  /** Runs the call after those before it; its signal aborts by cancel(callId) and by close(), and is checked first. */
  async #enqueue<T>(callId: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    if (this.#isClosed) controller.abort(closedError());
    this.#calls.set(callId, controller);
    const call = this.#queue.then(() => {
      controller.signal.throwIfAborted();
      return run(controller.signal);
    });
    this.#queue = call.catch(() => undefined);
    try {
      return await call;
    } finally {
      this.#calls.delete(callId);
    }
  }

  async #open(
    request: LoadRequest,
    signal: AbortSignal,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Loaded> {
    const { nowMs, parsePack, openSession } = this.#deps;
    const startMs = nowMs();
    const file = await this.#readPack(request, signal, onProgress);
    const downloadedMs = nowMs();
    const size = { loadedBytes: file.length, totalBytes: file.length };
    const model = parsePack(file);
    checkTask(model, request.task);
    const landmarks = landmarkModelOf(model);
    const session = await openSession(model, request, (phase) => {
      onProgress({ ...size, phase });
    });
    const endMs = nowMs();
    onProgress({ ...size, phase: 'ready' });
    const pipeline = new LandmarkPipeline({ landmarks, finder: null }, TASKS[request.task], nowMs);
    const { cropSize } = landmarks;
    const timings = {
      downloadMs: downloadedMs - startMs,
      compileMs: endMs - downloadedMs,
      totalMs: endMs - startMs,
    };
    return { model, session, pipeline, cropSize, timings };
  }

  #readPack(
    { pack }: LoadRequest,
    signal: AbortSignal,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Uint8Array> {
    if ('bytes' in pack) return Promise.resolve(new Uint8Array(pack.bytes));
    return this.#deps.fetchPack(pack.url, {
      signal,
      onProgress: (loadedBytes, totalBytes) => {
        onProgress({ loadedBytes, totalBytes, phase: 'download' });
      },
    });
  }

  async #detect(request: DetectRequest, signal: AbortSignal): Promise<LandmarkResult> {
    const { nowMs, readPixels, yieldToMessages } = this.#deps;
    const { frame, timestampMs, stream, options } = request;
    const { pipeline, session, cropSize } = this.#requireLoaded();
    const startMs = nowMs();
    const pixels = await readPixels(frame);
    // The bytes are ours now: the frame, a camera's buffer perhaps, need not wait for the network.
    closeFrame(frame);
    const { data, width, height } = pixels;
    const capturedMs = nowMs();
    let inferences = 0;
    let inferenceMs = 0;
    let lastYieldMs = capturedMs;
    const infer: Infer = async (region) => {
      if (nowMs() - lastYieldMs > YIELD_INTERVAL_MS) {
        await yieldToMessages();
        lastYieldMs = nowMs();
      }
      signal.throwIfAborted();
      const crop = roiToCropAffine(region, pixels, cropSize);
      const inferStartMs = nowMs();
      const heatmaps = await session.run({ kind: 'frame', data, width, height, ...crop });
      inferenceMs += nowMs() - inferStartMs;
      inferences += 1;
      return heatmaps;
    };
    const size = { width, height };
    const networks = { landmarks: infer, finder: infer };
    const subjects =
      stream === null
        ? await pipeline.detect(size, networks, options)
        : await pipeline.detectInStream(stream.id, size, timestampMs, networks, options);
    const captureMs = capturedMs - startMs;
    const timings = { captureMs, inferenceMs, totalMs: nowMs() - startMs, inferences };
    const { backend } = session.state;
    return { subjects, timestampMs, width, height, timings, backend };
  }

  #requireLoaded(): Loaded {
    if (this.#loaded === null) {
      throw new BitmarksError('closed', 'no model is loaded; load one before the first detect');
    }
    return this.#loaded;
  }
}

function infoOf({ model, session, timings }: Loaded): SessionInfo {
  const { backend, kernels, refusals, device, bytes, multiplyAdds } = session.state;
  const { name, landmarks, mirror, connections } = model.manifest;
  return {
    backend,
    kernels,
    refusals,
    device,
    bytes: { pack: model.sizeBytes, ...bytes },
    model: { name, sha256: model.sha256, landmarks, mirror, connections, multiplyAdds },
    timings,
  };
}

function closedError(): BitmarksError {
  return new BitmarksError('closed', 'the landmarker was closed');
}
