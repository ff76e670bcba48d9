/**
 * What the benchmark pages hand to the script that opened them, and the statistics both use. Plain data and numbers.
 */
import type { Row } from './rows';

/**
 * What one call computes. network: the network on a finished crop. frame: from a photo to landmarks; where the engine alone is
 * measured, in a known region, and where a package is, as it does while it follows a subject.
 */
export const WORKLOADS = ['network', 'frame'] as const;
export type Workload = (typeof WORKLOADS)[number];

/** What a page says once it is loaded and has found landmarks in its first photo. */
export interface Start {
  /** For people: versions, device. */
  readonly description: string;
  /** Milliseconds from the start of navigation to the first landmarks. */
  readonly coldStartMs: number;
  /** Of all convolutions; null where the graph is not ours. */
  readonly multiplyAdds: number | null;
  readonly kernels: readonly string[];
  /** Heatmaps of the first photo's crop, HWC, rounded; null where the graph is not ours. */
  readonly heatmaps: readonly number[] | null;
}

/** Milliseconds of each call of one turn. */
export interface Turn extends Readonly<Record<Workload, readonly number[]>> {
  /** The first call on the turn's photo, which the others do not hold: here a package has to find its subject. */
  readonly firstMs: number;
  /** Subjects in the last call; null where the region is given. */
  readonly found: number | null;
}

/** Bytes of JavaScript and WASM in page and workers; null where the browser does not tell. */
export interface MemoryUse {
  /** After the turns. */
  readonly beforeBytes: number | null;
  /** After so many frames more. */
  readonly frames: number;
  readonly afterBytes: number | null;
}

/** One row with all its turns. Undefined: the row rested in that round. */
export interface Contestant {
  readonly row: Row;
  readonly start: Start;
  readonly rounds: readonly (Turn | undefined)[];
  /** What the page downloads: raw, and as brotli at quality 11 makes it. */
  readonly download: Bytes;
  /** Milliseconds that the page's main thread is busy for a frame; null: not measured. */
  readonly mainThreadMs: number | null;
  /** null: not measured. */
  readonly memory: MemoryUse | null;
}

export interface Bytes {
  readonly rawBytes: number;
  readonly brotliBytes: number;
}

/** A row that could not be measured here, in whole or in part. */
export interface Failure {
  readonly row: string;
  /** start and turn: the row is left out; frames: its times count, main thread and memory are missing. */
  readonly step: 'start' | 'turn' | 'frames';
  readonly reason: string;
}

export interface Agreement {
  readonly row: string;
  /** Heatmap values that differ from those of our first engine; in float and int8 not expected to be 0. */
  readonly differing: number;
  readonly values: number;
  /** Largest distance of a landmark from that of our first engine, crop pixels. */
  readonly farthestPixels: number;
}

/** What a page that uses the built package downloads of it. */
export interface PageDownload extends Bytes {
  /** What the page finds. */
  readonly page: 'face' | 'face and pose';
  readonly engine: 'wasm' | 'webgpu';
  /** Paths within the package, sorted. */
  readonly files: readonly string[];
}

export interface Measurement {
  readonly packs: readonly { readonly name: string; readonly sha256: string }[];
  readonly contestants: readonly Contestant[];
  readonly agreements: readonly Agreement[];
  readonly failures: readonly Failure[];
  readonly pages: readonly PageDownload[];
}

export interface BenchOptions {
  readonly rounds: number;
  /** Each row's turn in a round lasts about this long, and a call of each workload at least. */
  readonly turnMs: number;
  /** A row that is silent for longer in its start or in a turn is given up. */
  readonly limitMs: number;
  /** Frames between the two readings of memory; 0: main thread and memory are not measured. */
  readonly memoryFrames: number;
  /** A row begins no further frame after so long. */
  readonly memoryMs: number;
}

/** NaN for none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between the two nearest values. NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}

/** How many times as long `slow` takes as `fast`, within each round in which both ran. */
export function ratiosByRound(
  slow: Contestant,
  fast: Contestant,
  workload: Workload,
): readonly number[] {
  return slow.rounds.flatMap((turn, round) => {
    const other = fast.rounds[round];
    if (turn === undefined || other === undefined) return [];
    const ratio = median(turn[workload]) / median(other[workload]);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
}
