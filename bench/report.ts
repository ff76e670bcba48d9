/**
 * From times to figures: medians, multiply-adds per second, ratios within rounds, bars. Numbers only; table.ts and plot.ts show
 * them.
 */
import { judge, round, type Bar } from './bars';
import {
  median,
  quantile,
  ratiosByRound,
  WORKLOADS,
  type BenchOptions,
  type Contestant,
  type Measurement,
  type Workload,
} from './measurement';

/** Words about where it ran; never the name of a host. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Load averages over 1, 5 and 15 minutes: far above the number of cores means that times are to be read as ratios. */
  readonly load: readonly number[];
  readonly browser: string;
  readonly platform: string;
  readonly gpu: Gpu;
}

/** auto: whatever adapter the browser finds. */
export type Gpu = 'auto' | 'swiftshader' | 'none';

/** For people. */
export function gpuText({ gpu }: Machine): string {
  return {
    auto: 'rows on a GPU run on what the browser finds',
    swiftshader: 'rows on a GPU run on SwiftShader, in software',
    none: 'no rows on a GPU',
  }[gpu];
}

/** Milliseconds per call. */
export interface Times {
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** The call that other work on the machine disturbed least. */
  readonly bestMs: number;
  readonly calls: number;
}

export interface RowReport {
  readonly row: string;
  readonly label: string;
  readonly description: string;
  /** null: the row has no such call. */
  readonly network: Times | null;
  readonly frame: Times | null;
  /** Median of the first calls on a photo. */
  readonly firstFrameMs: number;
  /** Share of the turns in which a subject was found; null where its region is given. */
  readonly found: number | null;
  /** 10^9 multiply-adds per second of the network alone. */
  readonly gigaMultiplyAdds: { readonly p50: number; readonly best: number } | null;
  readonly coldStartMs: number;
  readonly download: Contestant['download'];
  /** null: not measured. */
  readonly mainThreadMs: number | null;
  readonly memory: Contestant['memory'];
  readonly kernels: readonly string[];
}

/** How many times as long as the base of its task a row takes: within each round, then over all rounds. */
export interface Ratio {
  readonly row: string;
  readonly base: string;
  readonly workload: Workload;
  readonly p50: number;
  readonly quartiles: readonly [number, number];
}

export interface BenchReport {
  readonly date: string;
  readonly machine: Machine;
  readonly packs: Measurement['packs'];
  readonly options: BenchOptions;
  readonly rows: readonly RowReport[];
  readonly ratios: readonly Ratio[];
  readonly bars: readonly Bar[];
  readonly agreements: Measurement['agreements'];
  readonly failures: Measurement['failures'];
  readonly pages: Measurement['pages'];
}

/** The row that others of a task are compared with: the engine for networks, the whole package for frames of packages. */
function baseOf({ row, start }: Contestant): string {
  return `${row.task}/${start.multiplyAdds === null ? 'bitmarks' : 'relaxed'}`;
}

export function summarize(
  measurement: Measurement,
  options: BenchOptions,
  machine: Machine,
): BenchReport {
  const { contestants, packs, agreements, failures, pages } = measurement;
  return {
    date: new Date().toISOString().slice(0, 10),
    ...{ machine, packs, options },
    rows: contestants.map(rowReport),
    ratios: contestants.flatMap((contestant) => ratiosOf(contestant, contestants)),
    bars: judge(contestants, pages),
    ...{ agreements, failures, pages },
  };
}

function ratiosOf(contestant: Contestant, all: readonly Contestant[]): readonly Ratio[] {
  return WORKLOADS.flatMap((workload): readonly Ratio[] => {
    // Networks of all kinds are compared with our engine; it alone has the workload.
    const base = workload === 'network' ? `${contestant.row.task}/relaxed` : baseOf(contestant);
    const other = all.find(({ row }) => row.id === base);
    if (other === undefined || other === contestant) return [];
    const ratios = ratiosByRound(contestant, other, workload);
    if (ratios.length === 0) return [];
    const quartiles = [round(quantile(ratios, 0.25)), round(quantile(ratios, 0.75))] as const;
    return [{ row: contestant.row.id, base, workload, p50: round(median(ratios)), quartiles }];
  });
}

function rowReport(contestant: Contestant): RowReport {
  const { row, start, rounds, download, mainThreadMs, memory } = contestant;
  const turns = rounds.filter((turn) => turn !== undefined);
  const network = timesOf(turns.flatMap((turn) => turn.network));
  const found = turns.flatMap((turn) => (turn.found === null ? [] : [turn.found > 0 ? 1 : 0]));
  const { multiplyAdds } = start;
  const speed = (ms: number): number => round((multiplyAdds ?? NaN) / ms / 1e6);
  return {
    ...{ row: row.id, label: row.label, description: start.description },
    ...{ network, frame: timesOf(turns.flatMap((turn) => turn.frame)) },
    firstFrameMs: round(median(turns.map(({ firstMs }) => firstMs))),
    found: found.length === 0 ? null : round(found.reduce((sum, is) => sum + is, 0) / found.length),
    gigaMultiplyAdds:
      network === null || multiplyAdds === null
        ? null
        : { p50: speed(network.p50Ms), best: speed(network.bestMs) },
    coldStartMs: round(start.coldStartMs),
    ...{ download, memory, kernels: start.kernels },
    mainThreadMs: mainThreadMs === null ? null : round(mainThreadMs),
  };
}

function timesOf(calls: readonly number[]): Times | null {
  if (calls.length === 0) return null;
  return {
    p50Ms: round(median(calls)),
    p95Ms: round(quantile(calls, 0.95)),
    bestMs: round(Math.min(...calls)),
    calls: calls.length,
  };
}
