/**
 * What the benchmark page hands to the script that opened it, and the statistics both use. Plain data and numbers.
 */

/** What one call computes: the network on a finished crop, or all that a followed face costs (crop, network, decoding). */
export type Workload = 'network' | 'face';

/** One engine on one workload. */
export interface Contestant {
  /** 'relaxed', 'simd128', 'tfjs-wasm', 'webgpu'. */
  readonly engine: string;
  /** For people: what runs. */
  readonly description: string;
  readonly kernels: readonly string[];
  /** Milliseconds of each call, by round; all engines are called in turn within a round. */
  readonly rounds: Readonly<Record<Workload, readonly (readonly number[])[]>>;
}

export interface Agreement {
  readonly engine: string;
  /** Heatmap values that differ from those of the relaxed engine; for the float graph, not expected to be 0. */
  readonly differing: number;
  readonly values: number;
  /** Largest distance of a landmark from that of the relaxed engine, crop pixels. */
  readonly farthestPixels: number;
}

export interface Measurement {
  readonly pack: { readonly name: string; readonly sha256: string };
  readonly multiplyAdds: number;
  readonly contestants: readonly Contestant[];
  readonly agreements: readonly Agreement[];
  /** Engines that could not run here, and why. */
  readonly absent: readonly { readonly engine: string; readonly reason: string }[];
}

export interface BenchOptions {
  readonly rounds: number;
  /** Each engine's turn in a round lasts this long, and one call at least. */
  readonly turnMs: number;
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
