/**
 * Chooses between kernels that compute the same by measuring them once per module, on a small table of shapes like those of
 * landmark networks, in bounded time. Results are bits either way; only speed is at stake. Knows no plans.
 */
import type { BackendOptions } from '../backend';
import type { Encoding } from '../../model/types';
import type { MemoryArena } from './arena';
import { candidatesFor } from './kernels/candidates';
import {
  FIXED_ADDRESSES,
  runOctsOf,
  type ConvKernel,
  type ConvWeights,
  type KernelHost,
} from './kernels/kernel';

/** Names of kernels to take before others for convolutions of an encoding and a kernel size. */
export type KernelPreference = (encoding: Encoding, kernel: number) => readonly string[];

/** Layers of the table stand for all of their encoding, of kernel size 1 or of larger ones. */
const TABLE = [
  { encoding: 'b1', kernel: 1, inChannels: 80, outChannels: 64 },
  { encoding: 'b1', kernel: 3, inChannels: 64, outChannels: 16 },
  { encoding: 'i8', kernel: 1, inChannels: 64, outChannels: 64 },
  { encoding: 'i8', kernel: 5, inChannels: 3, outChannels: 64 },
] as const;
const SIZE = 16;
/** Three ticks of the clock of a page that is not isolated. */
const SAMPLE_MS = 0.3;
const ROUNDS = 5;
/** With the last sample, below 50 ms. */
const BUDGET_MS = 40;
/** Compilers get better at code that has run for a while: with fewer rounds, nothing is known. */
const LEAST_ROUNDS = 2;
/** A kernel that is expected to be best is left only for one that is clearly faster. */
const CLEARLY = 0.95;

/** What the measurement needs. */
export interface TuningHost extends KernelHost {
  readonly arena: MemoryArena;
}

/** Names of the fastest kernels, by encoding and kind of kernel size; empty where the engine was too slow to tell. */
export type MeasuredKernels = ReadonlyMap<string, string>;

/** What was measured or read, by module; of all backends of a worker. */
export type KnownKernels = Map<string, MeasuredKernels>;

const KNOWN: KnownKernels = new Map();

/** The choice between kernels that one backend makes; it stays as it is while the backend lives. */
export interface KernelChoice {
  readonly prefer: KernelPreference;
  /** Whether a measurement made it. */
  readonly isMeasured: boolean;
  /** Measures for backends to come, and gives what it found; null where there is nothing to do. */
  readonly measureForLater: () => MeasuredKernels | null;
}

/**
 * The choice that options ask for. By default it is what is known of the module: `kept` from an earlier visit, or measured by an
 * earlier backend; else what is expected, and `measureForLater` measures.
 */
export function chooseKernels(
  choice: BackendOptions['wasmKernels'],
  host: TuningHost,
  kept: MeasuredKernels | null = null,
  nowMs: () => number = () => performance.now(),
  known = KNOWN,
): KernelChoice {
  const { variant } = host.exports;
  const measure = (): MeasuredKernels => {
    const measured = known.get(variant) ?? measureKernels(host, nowMs);
    known.set(variant, measured);
    return measured;
  };
  const nothing = (): null => null;
  if (choice === 'expected')
    return { prefer: () => [], isMeasured: false, measureForLater: nothing };
  if (choice !== undefined && choice !== 'measured') {
    return { prefer: () => choice, isMeasured: false, measureForLater: nothing };
  }
  if (choice === undefined && kept !== null && !known.has(variant)) known.set(variant, kept);
  const table = choice === 'measured' ? measure() : (known.get(variant) ?? null);
  return {
    prefer: (encoding, kernel) => {
      const name = table?.get(keyOf(encoding, kernel));
      return name === undefined ? [] : [name];
    },
    isMeasured: table !== null && table.size > 0,
    measureForLater: table === null ? measure : nothing,
  };
}

function keyOf(encoding: Encoding, kernel: number): string {
  return `${encoding} ${kernel === 1 ? 'pixel' : 'window'}`;
}

interface Contestant {
  readonly kernel: ConvKernel;
  readonly run: () => void;
  bestMs: number;
}

function measureKernels(host: TuningHost, nowMs: () => number): MeasuredKernels {
  const endMs = nowMs() + BUDGET_MS;
  const blocks: number[] = [];
  const place = (bytes: number): number => {
    const address = host.arena.allocate(bytes);
    blocks.push(address);
    return address;
  };
  const contests = TABLE.flatMap((layer) => {
    const kernels = candidatesFor(layer.encoding, host);
    const contestants =
      kernels.length > 1 ? kernels.map((kernel) => contestant(kernel, layer, host, place)) : [];
    return contestants.length > 0
      ? [{ key: keyOf(layer.encoding, layer.kernel), contestants }]
      : [];
  });
  let rounds = 0;
  const samples = contests.flatMap(({ contestants }) => contestants);
  for (; rounds < ROUNDS && nowMs() < endMs; rounds++) {
    for (const each of samples) {
      if (nowMs() < endMs) each.bestMs = Math.min(each.bestMs, sampleMs(each.run, nowMs));
    }
  }
  for (const address of blocks) host.arena.release(address);
  if (rounds <= LEAST_ROUNDS) return new Map();
  return new Map(contests.map(({ key, contestants }) => [key, fastest(contestants)]));
}

/** Milliseconds of a call, from as many as fill a sample. */
function sampleMs(run: () => void, nowMs: () => number): number {
  const startMs = nowMs();
  let calls = 0;
  let elapsedMs = 0;
  while (elapsedMs < SAMPLE_MS) {
    run();
    calls += 1;
    elapsedMs = nowMs() - startMs;
  }
  return elapsedMs / calls;
}

function fastest(contestants: readonly Contestant[]): string {
  let [best] = contestants;
  for (const other of contestants) {
    if (best === undefined || other.bestMs < best.bestMs * CLEARLY) best = other;
  }
  return best?.kernel.name ?? '';
}

function contestant(
  kernel: ConvKernel,
  layer: Pick<ConvWeights, 'encoding' | 'kernel' | 'inChannels' | 'outChannels'>,
  host: TuningHost,
  place: (bytes: number) => number,
): Contestant {
  const { inChannels, outChannels } = layer;
  const values = Int8Array.from(
    { length: outChannels * layer.kernel ** 2 * inChannels },
    (_, index) => (index % 3 === 0 ? -1 : 1),
  );
  const weights: ConvWeights = { ...layer, values };
  const laidOut = kernel.layOut(weights);
  const weightsAt = place(laidOut.byteLength);
  host.arena.write(weightsAt, laidOut);
  const pixelBytes = inChannels * kernel.activationBytes;
  const rowBytes = (SIZE + layer.kernel - 1) * pixelBytes;
  const { name, parameters } = kernel.dispatch(
    [
      place((SIZE + layer.kernel) * rowBytes),
      weightsAt,
      place(SIZE * SIZE * outChannels * 2),
      ...([SIZE, SIZE, outChannels, layer.kernel, runOctsOf(weights)] as const),
      ...([rowBytes, rowBytes, pixelBytes, 2] as const),
    ],
    weights,
    127,
    FIXED_ADDRESSES.spill,
  );
  const run = Reflect.get(host.exports.functions, name) as (...values: readonly number[]) => void;
  return {
    kernel,
    run: () => {
      run(...parameters);
    },
    bestMs: Infinity,
  };
}
