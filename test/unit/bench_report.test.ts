import { describe, expect, it } from 'vitest';
import { median, quantile, type Measurement } from '../../bench/measurement';
import { summarize, type Machine } from '../../bench/report';

const MACHINE: Machine = {
  ...{ cpu: 'a CPU', cores: 2, load: [1, 1, 1], browser: 'a browser', platform: 'linux x64' },
};

/** Every round is slower than the one before by `drift`, as on a machine that gets busier. */
function measurement(peerFactor: number, drift = 10): Measurement {
  const rounds = (ms: number): number[][] =>
    [0, 1, 2].map((round) => [1, 2, 3].map((call) => ms * call * drift ** round));
  const contestant = (engine: string, ms: number): Measurement['contestants'][number] => ({
    ...{ engine, description: engine, kernels: [] },
    rounds: { network: rounds(ms), face: rounds(2 * ms) },
  });
  return {
    pack: { name: 'face', sha256: '' },
    multiplyAdds: 200e6,
    contestants: [contestant('relaxed', 4), contestant('tfjs-wasm', 4 * peerFactor)],
    ...{ agreements: [], absent: [] },
  };
}

describe('quantiles', () => {
  it('lie between the nearest values', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([0, 10, 20, 30], 0.25)).toBe(7.5);
    expect(median([])).toBeNaN();
  });
});

describe('summarize', () => {
  const options = { rounds: 3, turnMs: 1 };

  it('compares within rounds, so that drift over the rounds does not count', () => {
    const { ratios } = summarize(measurement(5), options, MACHINE);
    expect(ratios).toEqual([
      { engine: 'tfjs-wasm', workload: 'network', p50: 5, quartiles: [5, 5], best: 5 },
      { engine: 'tfjs-wasm', workload: 'face', p50: 5, quartiles: [5, 5], best: 5 },
    ]);
  });

  it('gives times over all calls and multiply-adds per second of the network', () => {
    const { engines } = summarize(measurement(5), options, MACHINE);
    expect(engines[0]).toMatchObject({
      network: { p50Ms: 80, bestMs: 4, calls: 9 },
      face: { p50Ms: 160, bestMs: 8, calls: 9 },
      gigaMultiplyAdds: { p50: 2.5, best: 50 },
      ceiling: [82, 89],
    });
    expect(engines[1]?.ceiling).toBeNull();
  });

  it('holds the prediction against the ratio', () => {
    expect(summarize(measurement(3), options, MACHINE).prediction.holds).toBe(true);
    expect(summarize(measurement(2.9), options, MACHINE).prediction.holds).toBe(false);
  });
});
