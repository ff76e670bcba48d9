/**
 * The contract between a session and its backends. Types only: a backend's code lives in its own folder.
 * A backend runs plans on one device. It knows tensors and crops, not landmarks, frames of a video, or workers.
 */
import type { HeatmapSums } from '../model/heatmap_sums';
import type { Model } from '../model/types';
import type { Plan } from './planner';

export type BackendName = 'webgpu' | 'wasm' | 'reference';

/** One network input: the finished crop, or a frame and where to crop it (models/README.md section 5). */
export type EngineInput =
  | { readonly kind: 'crop'; /** RGB bytes, HWC. */ readonly data: Uint8Array }
  | (EngineFrame & {
      readonly kind: 'frame';
      /** [x0, y0, ux, uy, vx, vy] in 1/65536 source pixels. */
      readonly affine: CropAffine;
      /** Taps per axis, 1..8. */
      readonly taps: number;
    });

/** Pixels that networks crop their inputs from. */
export interface EngineFrame {
  /** RGBA bytes, row-major, width * height * 4. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  /** Frames of one id have the same pixels, so that a backend brings them to its device once. Absent: they are brought for each run. */
  readonly id?: number;
}

/** [x0, y0, ux, uy, vx, vy], integers in units of 1/65536 source pixel. */
export type CropAffine = readonly [number, number, number, number, number, number];

/** 16-bit heatmaps of one output, HWC. Owned by the caller: a backend never writes to it again. */
export interface Heatmaps {
  readonly data: Int16Array;
  readonly height: number;
  readonly width: number;
  /** Number of landmarks. */
  readonly channels: number;
}

/** Runs execution plans on one device. */
export interface Backend {
  readonly name: BackendName;
  /** For people: GPU vendor and architecture, or module variant. */
  readonly device?: string;
  /** Resolves with a readable reason when the device is gone; never if the backend has no device. */
  readonly lost: Promise<string>;
  /** Throws BitmarksError 'backend/failed' when a step has no kernel here. */
  compile(model: Model, plan: Plan): Promise<CompiledModel>;
  /**
   * Brings a frame with an id to the device while that still works on another one. A hint: the frame may be dropped, and running
   * it is the same with or without. Absent where frames are read where they lie.
   */
  readonly stage?: (frame: EngineFrame) => void;
  /** Frees the device and all compiled models. Idempotent. */
  close(): void;
}

export interface CompiledModel {
  /** Kernel chosen for each plan step, in order, e.g. 'requantize+conv2d_b1_relaxed_pairs'. Tests assert on it; bench prints it. */
  readonly kernels: readonly string[];
  readonly bytes: { readonly weights: number; readonly activations: number };
  /** One frame. Calls are queued by the session, never concurrent. Throws 'device/lost' or 'backend/failed'. */
  run(input: EngineInput): Promise<Heatmaps>;
  /** The same at once, on the calling thread. Absent where results come from another device. */
  runSync?(input: EngineInput): Heatmaps;
  /**
   * One frame of a model with the codec `softmax`, and its heatmaps summed where they lie: what sumHeatmaps finds, bit by bit. The
   * result is overwritten by the next call. Absent where the heatmaps are at hand anyway.
   */
  readonly runSums?: (input: EngineInput) => Promise<HeatmapSums>;
  /** The crop the network saw in the last run with a frame input (RGB, HWC), for tests and debugging. */
  readCrop(): Promise<Uint8Array>;
  /** Idempotent. */
  close(): void;
}

/** Why a backend was not taken, for `info.refusals`. */
export interface BackendRefusal {
  readonly backend: BackendName;
  /** One sentence for people: what is missing and, where known, what to do. */
  readonly reason: string;
}

/** Makes a backend, or throws BitmarksError 'backend/unavailable' with the reason. */
export type BackendFactory = (options: BackendOptions) => Promise<Backend>;

export interface BackendOptions {
  /** Absolute URLs of the WASM modules; the worker cannot resolve relative ones. */
  readonly wasmUrls: { readonly simd128: string; readonly relaxed: string };
  /** Threads of the WASM engine; absent: one. */
  readonly wasmThreads?: WasmThreads;
  /**
   * Absolute URL of the WebGPU engine's own file. The registry loads it with loadOfferedBackend (offered.ts), so that pages
   * without a GPU never download it; a static or plain dynamic import of ./webgpu would put it into the worker's file.
   */
  readonly webgpuUrl?: string;
  /** Keep copies of WASM modules for visits without a network (asset_cache.ts). */
  readonly cache?: boolean;
  /** Force one variant; default: relaxed where the engine has it and computes it rightly. */
  readonly wasmVariant?: 'simd128' | 'relaxed';
  /**
   * How the WASM engine chooses between convolution kernels that can do the same. Default: by a measurement of some 40 ms that an earlier
   * backend of this worker made, or an earlier visit if `cache` is set; where there is none, by what the engine is expected to do
   * best, and it is measured after the first frame. 'measured' measures at once if need be, 'expected' never; a list names kernels
   * to take first. Results are the same bits either way.
   */
  readonly wasmKernels?: 'measured' | 'expected' | readonly string[];
  /**
   * Convolution kernels for the WebGPU engine to take before those that it expects to be fastest, best first. One that cannot
   * run a step is left out there; where it can run none, the backend's `device` says why.
   */
  readonly webgpuKernels?: readonly WebgpuKernelName[];
  /** GPU to prefer. */
  readonly powerPreference?: 'low-power' | 'high-performance';
}

/** How a convolution is computed on WebGPU (src/engine/webgpu/kernels). */
export type WebgpuVariant = 'dot4' | 'shift' | 'bitplanes' | 'subgroup' | 'storage';
/** Output pixels and channels that one invocation computes. */
export type WebgpuTile = '4x8' | '8x4' | '4x4' | '2x4' | '1x4';
/** A variant with any of its tiles, or with one of them. */
export type WebgpuKernelName = WebgpuVariant | `${WebgpuVariant}_${WebgpuTile}`;

/** How the WASM engine runs on several threads, where page and engine allow it; else it runs on one. */
export interface WasmThreads {
  /** Absolute URLs of the modules over shared memory. */
  readonly urls: { readonly simd128: string; readonly relaxed: string };
  /** Absolute URL of the worker script, which helper threads load too. */
  readonly helperUrl: string;
  /** With the thread that calls; null: as many as help. */
  readonly count: number | null;
  /** Multiply-adds from which a step is shared out; default: those that take longer than threads take to meet. */
  readonly leastSharedWork?: number;
  /** How long a helper may be silent before it counts as gone. */
  readonly patienceMs?: number;
}
