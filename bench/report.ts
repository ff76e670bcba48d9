/**
 * From times to figures: medians, multiply-adds per second, ratios within rounds, and the table for people.
 */
import {
  median,
  quantile,
  type Agreement,
  type BenchOptions,
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
}

/** Milliseconds per call. */
interface Times {
  readonly p50Ms: number;
  /** The call that other work on the machine disturbed least. */
  readonly bestMs: number;
  readonly calls: number;
}

interface EngineReport extends Readonly<Record<Workload, Times>> {
  readonly engine: string;
  readonly description: string;
  /** 10^9 multiply-adds per second of the network alone, at the median and at the best call. */
  readonly gigaMultiplyAdds: { readonly p50: number; readonly best: number };
  /** What one thread of the machine that it was measured on can do at most, same unit; bench/README.md says how. */
  readonly ceiling: readonly [number, number] | null;
}

/** How many times as long as the relaxed engine takes: within each round, then over all rounds. */
interface Ratio {
  readonly engine: string;
  readonly workload: Workload;
  readonly p50: number;
  readonly quartiles: readonly [number, number];
  /** Of the least disturbed calls. */
  readonly best: number;
}

export interface BenchReport {
  readonly date: string;
  readonly machine: Machine;
  readonly pack: Measurement['pack'];
  readonly multiplyAdds: number;
  readonly options: BenchOptions;
  readonly engines: readonly EngineReport[];
  readonly ratios: readonly Ratio[];
  readonly agreements: readonly Agreement[];
  readonly absent: Measurement['absent'];
  readonly prediction: { readonly text: string; readonly holds: boolean };
}

const BASE = 'relaxed';
const PEER = 'tfjs-wasm';
/** Written down before the first measurement. */
const PREDICTED_RATIO = 3;
/** Kernels measured on 1x1 convolutions of this network's shapes, Chromium 156, one thread of a 2-core server. */
const CEILINGS: Readonly<Record<string, readonly [number, number]>> = {
  relaxed: [82, 89],
  simd128: [34, 36],
};
const WORKLOADS = ['network', 'face'] as const;

export function summarize(
  measurement: Measurement,
  options: BenchOptions,
  machine: Machine,
): BenchReport {
  const { contestants, multiplyAdds, pack, agreements, absent } = measurement;
  const base = contestants.find(({ engine }) => engine === BASE);
  const engines = contestants.map(({ engine, description, rounds }): EngineReport => {
    const network = timesOf(rounds.network);
    return {
      ...{ engine, description, network, face: timesOf(rounds.face) },
      gigaMultiplyAdds: {
        p50: round(multiplyAdds / network.p50Ms / 1e6),
        best: round(multiplyAdds / network.bestMs / 1e6),
      },
      ceiling: CEILINGS[engine] ?? null,
    };
  });
  const ratios = contestants
    .filter(({ engine }) => engine !== BASE)
    .flatMap(({ engine, rounds }) =>
      WORKLOADS.map((workload): Ratio => {
        const perRound = rounds[workload].map(
          (times, i) => median(times) / median(base?.rounds[workload][i] ?? []),
        );
        const quartiles = [
          round(quantile(perRound, 0.25)),
          round(quantile(perRound, 0.75)),
        ] as const;
        const best = round(bestOf(rounds[workload]) / bestOf(base?.rounds[workload] ?? []));
        return { engine, workload, p50: round(median(perRound)), quartiles, best };
      }),
    );
  const reached = ratios.find(({ engine, workload }) => engine === PEER && workload === 'network');
  return {
    date: new Date().toISOString().slice(0, 10),
    ...{ machine, pack, multiplyAdds, options, engines, ratios, agreements, absent },
    prediction: {
      text: `the network takes at least ${PREDICTED_RATIO} times as long in float on tfjs-backend-wasm as on the relaxed engine`,
      holds: reached !== undefined && reached.p50 >= PREDICTED_RATIO,
    },
  };
}

export function printTable(report: BenchReport): void {
  const { machine, engines, ratios, agreements, absent, prediction, multiplyAdds } = report;
  console.log(
    `${machine.cpu}, ${machine.cores} cores, load ${machine.load.join(' ')}, ${machine.browser}\n` +
      `${report.pack.name}: ${(multiplyAdds / 1e6).toFixed(1)} million multiply-adds; ` +
      `${report.options.rounds} rounds, engines in turn\n`,
  );
  console.table(
    Object.fromEntries(
      engines.map(({ engine, network, face, gigaMultiplyAdds, ceiling }) => [
        engine,
        {
          'network ms p50': network.p50Ms,
          'network ms best': network.bestMs,
          'face ms p50': face.p50Ms,
          'face ms best': face.bestMs,
          'G madd/s p50': gigaMultiplyAdds.p50,
          'G madd/s best': gigaMultiplyAdds.best,
          'kernel ceiling': ceiling?.join('..') ?? '',
        },
      ]),
    ),
  );
  for (const { engine, workload, p50, quartiles, best } of ratios) {
    console.log(
      `${engine} / ${BASE}, ${workload}: ${p50} times as long (middle half of the rounds ${quartiles.join('..')}; best calls ${best})`,
    );
  }
  for (const { engine, differing, values, farthestPixels } of agreements) {
    console.log(
      `${engine} against ${BASE}: ${differing} of ${values} heatmap values differ, landmarks at most ${farthestPixels.toFixed(3)} crop pixels apart`,
    );
  }
  for (const { engine, reason } of absent) console.log(`${engine} did not run: ${reason}`);
  console.log(`prediction ${prediction.holds ? 'holds' : 'FAILED'}: ${prediction.text}`);
}

function timesOf(rounds: readonly (readonly number[])[]): Times {
  const all = rounds.flat();
  return { p50Ms: round(median(all)), bestMs: round(bestOf(rounds)), calls: all.length };
}

function bestOf(rounds: readonly (readonly number[])[]): number {
  return Math.min(...rounds.flat());
}

/** Four digits: one more than repeated runs agree on. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
