/// <reference lib="esnext.disposable" />
/**
 * What all landmarkers share: options, capture, worker link and results put together; no engine, no arithmetic. Importing
 * this file touches nothing of the page.
 */
import { proxy, transfer } from 'comlink';
import { BitmarksError } from '../errors';
import { closeFrame } from '../protocol/frame';
import type { LandmarkResult } from '../protocol/result';
import type {
  LoadProgress,
  LoadRequest,
  PackSource,
  SessionInfo,
  TaskName,
} from '../protocol/service';
import { absoluteUrl, resolveAssets } from './assets';
import { captureFrame, kindOf, readable, type ImageSource } from './frame_source';
import { FrameTicker, playStream } from './frame_ticker';
import {
  resolveOptions,
  resolveSignal,
  type ModelSource,
  type OptionNames,
  type ResolvedOptions,
} from './options';
import { joinWorker, type LandmarkerLink } from './worker_pool';

export interface CallOptions {
  /** Aborts the call, which then rejects with 'aborted'. */
  readonly signal?: AbortSignal | undefined;
}

/** A loaded landmarker in the worker, and how to call it. */
export interface Connection {
  readonly link: LandmarkerLink;
  readonly options: ResolvedOptions;
  readonly info: SessionInfo;
}

/** Stream id of detectForVideo; every track has an id of its own. */
const VIDEO_STREAM = 0;

/** Finds and follows subjects of one kind; the base of FaceLandmarker and PoseLandmarker. */
export abstract class Landmarker<Result> {
  readonly #link: LandmarkerLink;
  readonly #options: ResolvedOptions;
  #info: SessionInfo;
  #lastStream = VIDEO_STREAM;
  #lastTimestampMs = -Infinity;

  /** @internal */
  protected constructor({ link, options, info }: Connection) {
    this.#link = link;
    this.#options = options;
    this.#info = info;
  }

  /** Whether this browser has what every backend needs. Backends are tried by create; `info` tells what came of it. */
  static isSupported(): boolean {
    return [
      typeof Worker,
      typeof OffscreenCanvas,
      typeof createImageBitmap,
      typeof WebAssembly === 'object' ? 'function' : 'undefined',
    ].every((type) => type === 'function');
  }

  /** Backend, kernels, refusals, sizes. Changes when a lost device makes the worker fall back. */
  get info(): SessionInfo {
    return this.#info;
  }

  /** Finds the subjects in one image, without memory of others. Throws 'input/invalid', 'aborted', 'closed', ... */
  async detect(image: ImageSource, options?: CallOptions): Promise<Result> {
    return this.#detect(image, performance.now(), null, resolveSignal(options));
  }

  /**
   * Finds the subjects in the next frame of a video, with the memory of the frames before: known ones keep their id and are
   * followed, not searched; landmarks are smoothed. Timestamps must rise; wait for a result before the next call.
   */
  async detectForVideo(
    frame: ImageSource,
    timestampMs: number,
    options?: CallOptions,
  ): Promise<Result> {
    if (!Number.isFinite(timestampMs) || timestampMs <= this.#lastTimestampMs) {
      throw new BitmarksError(
        'input/invalid',
        `timestampMs is ${String(timestampMs)}, expected a number above that of the call before, ` +
          `${this.#lastTimestampMs}; use performance.now()`,
      );
    }
    const signal = resolveSignal(options);
    this.#lastTimestampMs = timestampMs;
    return this.#detect(frame, timestampMs, VIDEO_STREAM, signal);
  }

  /**
   * Follows the subjects in a playing video, always on its newest frame. Ends with the video; breaking out of the loop stops
   * it. An abort throws 'aborted', close() throws 'closed'. Playing and stopping the video is the caller's business.
   */
  async *track(
    source: HTMLVideoElement | MediaStream,
    options?: CallOptions,
  ): AsyncGenerator<Result, void, undefined> {
    const signal = resolveSignal(options);
    this.#link.throwIfUnusable(signal);
    const kind = kindOf(source);
    if (kind !== 'MediaStream' && kind !== 'HTMLVideoElement') {
      throw new BitmarksError('input/invalid', 'track takes a video element or a MediaStream');
    }
    const stop = new AbortController();
    const halt = (): void => {
      stop.abort();
    };
    signal?.addEventListener('abort', halt, stop);
    this.#link.ended.addEventListener('abort', halt, stop);
    const player = kind === 'MediaStream' ? playStream(source as MediaStream, stop) : null;
    this.#lastStream += 1;
    const stream = this.#lastStream;
    try {
      const video = player?.video ?? (source as HTMLVideoElement);
      const ticker = new FrameTicker(video, stop.signal);
      for (;;) {
        const tick = await ticker.next();
        this.#link.throwIfUnusable(signal);
        player?.throwIfFailed();
        // It may have been stopped since the tick, by the end of a stream for example.
        if (tick === null || stop.signal.aborted) return;
        yield await this.#detect(video, tick.timestampMs, stream, signal);
      }
    } finally {
      stop.abort();
      // The link may be gone, and with it the stream.
      this.#link
        .call((service) => service.endStream(this.#link.id, stream), null)
        .catch(() => undefined);
    }
  }

  /** Frees all it held; calls in flight reject with 'closed'. The worker ends with the last landmarker of the page. Idempotent. */
  close(): void {
    void this.#link.close();
  }

  // Where these symbols do not exist, the two become one method called 'undefined', which nobody calls.
  [Symbol.dispose](): void {
    this.close();
  }

  /** close(), and waits until the worker has freed it or is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link.close();
  }

  /** The worker's answer in the words of the task. */
  protected abstract toResult(result: LandmarkResult): Result;

  async #detect(
    image: ImageSource,
    timestampMs: number,
    stream: number | null,
    signal: AbortSignal | null,
  ): Promise<Result> {
    this.#link.throwIfUnusable(signal);
    const captured = await captureFrame(image);
    try {
      const result = await this.#link.call((service, callId) => {
        const request = {
          landmarkerId: this.#link.id,
          frame: captured.payload,
          timestampMs,
          stream: stream === null ? null : { id: stream },
          options: this.#options.detect,
          callId,
        };
        return service.detect(transfer(request, captured.transfer));
      }, signal);
      if (result.backend !== this.#info.backend) {
        this.#info = await this.#link.call((service) => service.info(this.#link.id), signal);
      }
      return this.toResult(result);
    } catch (error) {
      // Does nothing to a frame that was sent; one that was not is still ours.
      closeFrame(captured.payload);
      throw readable(error);
    }
  }
}

/**
 * Starts or joins the worker, loads the task's packs and prepares a backend. Throws BitmarksError: 'options/invalid',
 * 'worker/failed', 'pack/*', 'graph/malformed', 'backend/unavailable', 'backend/failed', 'aborted'.
 */
export async function connect(
  task: TaskName,
  names: OptionNames,
  given: unknown,
): Promise<Connection> {
  const options = resolveOptions(names, given);
  const urls = resolveAssets(task, options.variant, options.assetBase);
  const packs = {
    landmarks: packOf(options.model, urls.landmarkPack),
    finder: finderOf(options.finder, urls.finderPack),
  };
  const startMs = performance.now();
  const workerUrl = options.workerUrl === null ? urls.worker : absoluteUrl(options.workerUrl);
  const link = await joinWorker(workerUrl, options.signal);
  try {
    const request: Omit<LoadRequest, 'callId'> = {
      landmarkerId: link.id,
      task,
      packs,
      backend: options.backend,
      wasmUrls: urls.wasm,
      webgpuUrl: urls.webgpu,
      webgpuKernels: options.webgpuKernels,
      wasmThreads: { urls: urls.wasmThreads, helperUrl: workerUrl, count: options.threads },
      selfTest: options.selfTest,
      cache: options.cache,
      refinements: options.refinements,
      workerMs: performance.now() - startMs,
    };
    const bytes = [packs.landmarks, packs.finder].flatMap((pack) =>
      pack !== null && 'bytes' in pack ? [pack.bytes] : [],
    );
    const onProgress = reporter(options.onProgress);
    const info = await link.call(
      (service, callId) =>
        service.load(transfer({ ...request, callId }, bytes), onProgress && proxy(onProgress)),
      options.signal,
    );
    return { link, options, info };
  } catch (error) {
    void link.close();
    throw error;
  }
}

/** Null: windows are searched. */
function finderOf(finder: ResolvedOptions['finder'], defaultUrl: string | null): PackSource | null {
  if (finder === null) return null;
  if (finder !== undefined) return packOf(finder, '');
  return defaultUrl === null ? null : { url: defaultUrl };
}

/** Bytes are copied: the copy is transferred, the caller's stay his. */
function packOf(model: ModelSource | null, defaultUrl: string): PackSource {
  if (model === null) return { url: defaultUrl };
  if (typeof model === 'string' || model instanceof URL) return { url: absoluteUrl(String(model)) };
  return { bytes: new Uint8Array(model).slice().buffer };
}

/** A caller's callback that throws is an uncaught error of the page, not of the call. */
function reporter(
  onProgress: ResolvedOptions['onProgress'],
): ((progress: LoadProgress) => void) | undefined {
  if (onProgress === null) return undefined;
  return (progress) => {
    try {
      onProgress(progress);
    } catch (error) {
      reportError(error);
    }
  };
}
