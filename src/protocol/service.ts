/**
 * The worker's service as the main thread sees it through Comlink. Types, the names that both sides know, and the version that
 * they compare.
 */
import type { LandmarkResult } from './result';
import type { WireService } from './wire_errors';

/** Raised with every change of the messages between script and worker, which may be cached apart from each other. */
export const PROTOCOL_VERSION = 4;

/** Convolution kernels of the WebGPU engine; src/engine/backend.ts says what the names mean. */
export const WEBGPU_VARIANTS = ['dot4', 'shift', 'bitplanes', 'subgroup', 'storage'] as const;
/** Output pixels x channels that one invocation computes. */
export const WEBGPU_TILES = ['4x8', '8x4', '4x4', '2x4', '1x4'] as const;
type WebgpuVariant = (typeof WEBGPU_VARIANTS)[number];
/** A variant, or a variant with one of the tiles. */
export type WebgpuKernelName = WebgpuVariant | `${WebgpuVariant}_${(typeof WEBGPU_TILES)[number]}`;

export type BackendChoice = 'auto' | 'webgpu' | 'wasm' | 'reference';
export type TaskName = 'face' | 'pose';

/** Absolute URL of a pack, or its bytes (transferred). */
export type PackSource = { readonly url: string } | { readonly bytes: ArrayBuffer };

export interface LoadRequest {
  /** Which of the worker's landmarkers this becomes; one that is loaded under this id is replaced. */
  readonly landmarkerId: number;
  readonly task: TaskName;
  /** Without a finder, windows of the frame are searched with the landmark network. */
  readonly packs: { readonly landmarks: PackSource; readonly finder: PackSource | null };
  readonly backend: BackendChoice;
  /** Absolute URLs of the WASM modules. */
  readonly wasmUrls: { readonly simd128: string; readonly relaxed: string };
  /** Absolute URL of the WebGPU engine's own file (workers/webgpu_engine.ts); fetched only where that engine is tried. */
  readonly webgpuUrl: string;
  /** Kernels to take before those expected to be fastest, best first. */
  readonly webgpuKernels?: readonly WebgpuKernelName[];
  readonly wasmVariant?: 'simd128' | 'relaxed';
  /** Threads of the WASM engine, as src/engine/backend.ts says; absent: one. */
  readonly wasmThreads?: {
    readonly urls: { readonly simd128: string; readonly relaxed: string };
    readonly helperUrl: string;
    readonly count: number | null;
  };
  /** Refinement passes of the landmark network; null: all that its pack has. */
  readonly refinements: number | null;
  /** Run the packs' golden vectors on the chosen backend and refuse the backend if the hash differs. */
  readonly selfTest: boolean;
  /** Keep copies of packs and WASM modules for visits without a network. */
  readonly cache: boolean;
  /** How long the page waited for the worker, for `SessionInfo.timings`. */
  readonly workerMs: number;
  /** Id for cancel(). */
  readonly callId: number;
}

/** Bytes are those of all packs. */
export interface LoadProgress {
  readonly loadedBytes: number;
  /** null when the server does not tell. */
  readonly totalBytes: number | null;
  readonly phase: 'download' | 'compile' | 'self-test' | 'ready';
}

export interface SessionInfo {
  readonly backend: 'webgpu' | 'wasm' | 'reference';
  /** Kernel of each plan step of the landmark network, in order. */
  readonly kernels: readonly string[];
  /** Better backends that were not taken, and why. */
  readonly refusals: readonly { readonly backend: string; readonly reason: string }[];
  /** Of landmark network and finder together. */
  readonly bytes: { readonly pack: number; readonly weights: number; readonly activations: number };
  /** The landmark network. */
  readonly model: {
    readonly name: string;
    readonly sha256: string;
    readonly landmarks: readonly string[];
    readonly mirror: readonly number[];
    readonly connections: readonly (readonly [number, number])[];
    /** Score from which a landmark counts as present, 0..1; 0 where all count, as those of a face. */
    readonly minLandmarkScore: number;
    /** Refinement passes that run. */
    readonly refinements: number;
    /** Whether each region is read twice, as it is and as its mirror image. */
    readonly mirrored: boolean;
    /** Of one reading. */
    readonly multiplyAdds: number;
  };
  /** The network that finds subjects; null where windows are searched with the landmark network. */
  readonly finder: {
    readonly name: string;
    readonly sha256: string;
    readonly backend: 'webgpu' | 'wasm' | 'reference';
    readonly kernels: readonly string[];
    readonly multiplyAdds: number;
  } | null;
  /** GPU vendor and architecture, or the WASM variant, its threads and why it has no more. */
  readonly device: string;
  readonly timings: LoadTimings;
}

/** Where the time of `create` went. Backend and download run side by side, so that the parts may add up to more than the total. */
export interface LoadTimings {
  /** From the call to the answer of the worker; about 0 for a page's further landmarkers. */
  readonly workerMs: number;
  /** Until all packs were there. */
  readonly downloadMs: number;
  /** Until a backend was open: a GPU device, or a compiled WASM module; from the start of the downloads. */
  readonly backendMs: number;
  /** Reading and checking the packs. */
  readonly parseMs: number;
  /** Compiling the networks, including what was still to wait for the backend and for other landmarkers' turns. */
  readonly compileMs: number;
  /** Computing the packs' golden vectors. */
  readonly selfTestMs: number;
  /** From the call to a landmarker that is ready. */
  readonly totalMs: number;
  /** Whether all packs came from copies of an earlier visit, or from the page as bytes. */
  readonly isCopy: boolean;
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
  readonly landmarkerId: number;
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
  /** Least score that the finder gives a new subject. */
  readonly minDetectionConfidence: number | null;
  /** Least landmark score of any subject that is reported. */
  readonly minPresenceConfidence: number | null;
  /** Least landmark score for following a subject into the next frame. */
  readonly minTrackingConfidence: number | null;
  readonly smoothing: boolean;
}

/** Several landmarkers live in one worker, on one device. Their calls run one after the other, in the order they come in. */
export interface LandmarkService {
  /** Downloads wait for nobody; preparing the networks waits its turn. */
  load(request: LoadRequest, onProgress?: (progress: LoadProgress) => void): Promise<SessionInfo>;
  detect(request: DetectRequest): Promise<LandmarkResult>;
  /** Forgets a stream's regions, identities and filters. */
  endStream(landmarkerId: number, id: number): Promise<void>;
  /** Current info; changes when a lost device made the service fall back. */
  info(landmarkerId: number): Promise<SessionInfo>;
  /** Settles the call with 'aborted' as soon as it can; unknown ids are ignored. */
  cancel(callId: number): Promise<void>;
  /** Ends one landmarker: its calls settle with 'closed', its networks are freed. Unknown ids are ignored. */
  unload(landmarkerId: number): Promise<void>;
  /** The same for all, and no more can be loaded. */
  close(): Promise<void>;
}

/** What the worker exposes: the service, its errors as data, and a greeting that shows that it has started. */
export interface WorkerRoot extends WireService<LandmarkService> {
  protocolVersion(): Promise<number>;
  /** Holds the named Web Lock until the worker dies; resolves true when it has it, false where there are no locks. */
  holdLock(name: string): Promise<boolean>;
}
