/**
 * The worker's service as the main thread sees it through Comlink. Types, and the version that both sides compare.
 */
import type { LandmarkResult } from './result';
import type { WireService } from './wire_errors';

/** Raised with every change of the messages between script and worker, which may be cached apart from each other. */
export const PROTOCOL_VERSION = 1;

export type BackendChoice = 'auto' | 'webgpu' | 'wasm' | 'reference';
export type TaskName = 'face';

export interface LoadRequest {
  readonly task: TaskName;
  /** Absolute URL of the pack, or its bytes (transferred). */
  readonly pack: { readonly url: string } | { readonly bytes: ArrayBuffer };
  readonly backend: BackendChoice;
  /** Absolute URLs of the WASM modules. */
  readonly wasmUrls: { readonly simd128: string; readonly relaxed: string };
  /** Absolute URL of the WebGPU engine's own file (workers/webgpu_engine.ts); fetched only where that engine is tried. */
  readonly webgpuUrl: string;
  readonly wasmVariant?: 'simd128' | 'relaxed';
  /** Run the pack's golden vector on the chosen backend and refuse the backend if the hash differs. */
  readonly selfTest: boolean;
  /** Id for cancel(). */
  readonly callId: number;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  /** null when the server does not tell. */
  readonly totalBytes: number | null;
  readonly phase: 'download' | 'compile' | 'self-test' | 'ready';
}

export interface SessionInfo {
  readonly backend: 'webgpu' | 'wasm' | 'reference';
  /** Kernel of each plan step, in order. */
  readonly kernels: readonly string[];
  /** Better backends that were not taken, and why. */
  readonly refusals: readonly { readonly backend: string; readonly reason: string }[];
  readonly bytes: { readonly pack: number; readonly weights: number; readonly activations: number };
  readonly model: {
    readonly name: string;
    readonly sha256: string;
    readonly landmarks: readonly string[];
    readonly mirror: readonly number[];
    readonly connections: readonly (readonly [number, number])[];
    readonly multiplyAdds: number;
  };
  /** GPU vendor and architecture, or the WASM variant. */
  readonly device: string;
  readonly timings: {
    readonly downloadMs: number;
    readonly compileMs: number;
    readonly totalMs: number;
  };
}

/** A frame that crossed the boundary; the worker owns and closes it. */
export type FramePayload =
  | { readonly kind: 'bitmap'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'videoFrame'; readonly frame: VideoFrame }
  | {
      readonly kind: 'pixels';
      readonly data: ArrayBuffer;
      readonly width: number;
      readonly height: number;
    }
  | { readonly kind: 'blob'; readonly blob: Blob };

export interface DetectRequest {
  readonly frame: FramePayload;
  readonly timestampMs: number;
  /** false: stateless; true: regions, identities and smoothing of the stream `streamId` are used and kept. */
  readonly stream: { readonly id: number } | null;
  readonly options: DetectOptions;
  readonly callId: number;
}

/** Thresholds are scores, 0..1; null takes the model's own. */
export interface DetectOptions {
  readonly maxSubjects: number;
  /** Least score of a newly found subject. */
  readonly minDetectionConfidence: number | null;
  /** Least score of any subject that is reported. */
  readonly minPresenceConfidence: number | null;
  /** Least score for following a subject into the next frame. */
  readonly minTrackingConfidence: number | null;
  readonly smoothing: boolean;
}

export interface LandmarkService {
  load(request: LoadRequest, onProgress?: (progress: LoadProgress) => void): Promise<SessionInfo>;
  detect(request: DetectRequest): Promise<LandmarkResult>;
  /** Forgets a stream's regions, identities and filters. */
  endStream(id: number): Promise<void>;
  /** Current info; changes when a lost device made the service fall back. */
  info(): Promise<SessionInfo>;
  /** Settles the call with 'aborted' as soon as it can; unknown ids are ignored. */
  cancel(callId: number): Promise<void>;
  close(): Promise<void>;
}

/** What the worker exposes: the service, its errors as data, and a greeting that shows that it has started. */
export interface WorkerRoot extends WireService<LandmarkService> {
  protocolVersion(): Promise<number>;
  /** Holds the named Web Lock until the worker dies; resolves true when it has it, false where there are no locks. */
  holdLock(name: string): Promise<boolean>;
}
