import { describe, expect, it } from 'vitest';
import {
  median,
  quantile,
  type Contestant,
  type Measurement,
  type PageDownload,
  type Turn,
} from '../../bench/measurement';
import { plot } from '../../bench/plot';
import { summarize, type Machine } from '../../bench/report';
import { ROWS } from '../../bench/rows';
import { barsText, markdown } from '../../bench/table';

const MACHINE: Machine = {
  ...{ cpu: 'a <CPU>', cores: 2, load: [1, 1, 1], browser: 'a browser', platform: 'linux x64' },
  gpu: 'swiftshader',
};
const OPTIONS = { rounds: 3, turnMs: 1, limitMs: 1000, memoryFrames: 10, memoryMs: 1000 };

/** Every round is ten times slower than the one before, as on a machine that gets busier. */
function turn(networkMs: number, frameMs: number, round: number): Turn {
  const calls = (ms: number): number[] => [1, 2, 3].map((call) => ms * call * 10 ** round);
  return { network: calls(networkMs), frame: calls(frameMs), firstMs: frameMs, found: null };
}

function contestant(
  id: string,
  networkMs: number,
  change: Partial<Contestant> & { multiplyAdds?: number | null } = {},
): Contestant {
  const row = ROWS.find((other) => other.id === id);
  if (row === undefined) throw new Error(`no row ${id}`);
  const { multiplyAdds = 200e6, ...rest } = change;
  return {
    row,
    start: { description: id, coldStartMs: 100, multiplyAdds, kernels: [], heatmaps: null },
    rounds: [0, 1, 2].map((round) => turn(networkMs, 2 * networkMs, round)),
    download: { rawBytes: 2_000_000, brotliBytes: 300_000 },
    ...{ mainThreadMs: 1, memory: { beforeBytes: 5e6, frames: 10, afterBytes: 5.25e6 } },
    ...rest,
  };
}

function measurement(...contestants: Contestant[]): Measurement {
  return {
    packs: [{ name: 'face', sha256: '' }],
    ...{ contestants, agreements: [], pages: [] },
    failures: [{ row: 'face/webgpu', step: 'start', reason: 'no adapter' }],
  };
}

describe('rows', () => {
  it('have names of their own', () => {
    expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length);
  });
});

describe('quantiles', () => {
  it('lie between the nearest values', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([0, 10, 20, 30], 0.25)).toBe(7.5);
    expect(median([])).toBeNaN();
  });
});

describe('summarize', () => {
  const ours = contestant('face/relaxed', 4);
  const peer = contestant('face/tfjs-wasm', 20);

  it('compares within rounds, so that drift over the rounds does not count', () => {
    const { ratios } = summarize(measurement(ours, peer), OPTIONS, MACHINE);
    const ratio = { row: 'face/tfjs-wasm', base: 'face/relaxed', p50: 5, quartiles: [5, 5] };
    expect(ratios).toEqual([
      { ...ratio, workload: 'network' },
      { ...ratio, workload: 'frame' },
    ]);
  });

  it('leaves out rounds in which one of the two rested', () => {
    const resting = { ...peer, rounds: [turn(8, 8, 0), undefined, undefined] };
    const { ratios, rows } = summarize(measurement(ours, resting), OPTIONS, MACHINE);
    expect(ratios.map(({ p50 }) => p50)).toEqual([2, 1]);
    expect(rows[1]?.network?.calls).toBe(3);
  });

  it('gives times over all calls and multiply-adds per second of the network', () => {
    const { rows } = summarize(measurement(ours), OPTIONS, MACHINE);
    expect(rows[0]).toMatchObject({
      network: { p50Ms: 80, p95Ms: 1040, bestMs: 4, calls: 9 },
      frame: { p50Ms: 160, bestMs: 8, calls: 9 },
      gigaMultiplyAdds: { p50: 2.5, best: 50 },
      found: null,
    });
  });

  it('compares packages with the package, and says how often they found somebody', () => {
    const found = (of: Contestant): Contestant => ({
      ...of,
      rounds: of.rounds.map((given, i) => given && { ...given, network: [], found: i % 2 }),
    });
    const page = found(contestant('face/bitmarks', 5, { multiplyAdds: null }));
    const human = found(contestant('face/human', 10, { multiplyAdds: null }));
    const { ratios, rows } = summarize(measurement(ours, page, human), OPTIONS, MACHINE);
    expect(ratios).toEqual([
      {
        ...{ row: 'face/human', base: 'face/bitmarks', workload: 'frame' },
        ...{ p50: 2, quartiles: [2, 2] },
      },
    ]);
    expect(rows[2]).toMatchObject({ network: null, found: 0.3333, gigaMultiplyAdds: null });
  });

  it.each([
    [20, 'holds'],
    [19.6, 'missed'],
  ])('holds the bars against the ratios: %d ms', (peerMs, verdict) => {
    const { bars } = summarize(
      measurement(ours, contestant('face/tfjs-wasm', peerMs)),
      OPTIONS,
      MACHINE,
    );
    expect(bars[0]).toMatchObject({ needed: 5, measured: peerMs / 4, verdict });
    const others = bars.slice(1).map(({ verdict: other }) => other);
    expect(others.filter((other) => other === 'missed')).toHaveLength(1);
    expect(others.filter((other) => other === 'not measured')).toHaveLength(others.length - 1);
  });

  it('holds the speed against what was measured', () => {
    const judged = (networkMs: number): string | undefined =>
      summarize(measurement(contestant('face/relaxed', networkMs)), OPTIONS, MACHINE).bars.find(
        ({ text }) => text.includes('multiply-adds per second'),
      )?.verdict;
    expect(judged(0.04)).toBe('holds');
    expect(judged(4)).toBe('missed');
  });

  it('holds what pages download on the engine that needs most against the budgets', () => {
    const page = (name: PageDownload['page'], engine: PageDownload['engine'], bytes: number) => ({
      ...{ page: name, engine, rawBytes: 1e6, brotliBytes: bytes, files: [] },
    });
    const judged = (...pages: PageDownload[]): string[] =>
      summarize({ ...measurement(ours), pages }, OPTIONS, MACHINE)
        .bars.slice(-2)
        .map(({ verdict }) => verdict);
    expect(judged()).toEqual(['not measured', 'not measured']);
    const both = page('face and pose', 'wasm', 800_000);
    expect(judged(page('face', 'wasm', 400_000), both)).toEqual(['holds', 'holds']);
    const pages = [page('face', 'wasm', 1), page('face', 'webgpu', 400_001)];
    expect(judged(...pages, both, page('face and pose', 'webgpu', 800_001))).toEqual([
      ...['missed', 'missed'],
    ]);
  });
});

describe('what people read', () => {
  const report = summarize(
    measurement(contestant('face/relaxed', 4), contestant('face/tfjs-wasm', 20)),
    OPTIONS,
    MACHINE,
  );

  it('is a table with a row for each, the bars, and what did not run', () => {
    const text = markdown(report);
    expect(text.match(/^\| `face\//gm)).toHaveLength(2);
    expect(text).toContain('2000 (300)');
    expect(text).toContain('5.0 / 5.3 (10)');
    expect(text).toContain('- face/webgpu did not start: no adapter');
    expect(barsText(report).split('\n')).toHaveLength(report.bars.length);
    expect(text).toContain(barsText(report).split('\n')[0]);
  });

  it('is a drawing whose bars grow with the logarithm of the time', () => {
    const svg = plot(report);
    const widths = [...svg.matchAll(/width="(\d+)" height="14"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toHaveLength(2);
    expect(widths[1]).toBeGreaterThan(widths[0] ?? Infinity);
    expect(svg).toContain('a &lt;CPU&gt;');
    // The row that others are compared with, and the other.
    expect(svg.match(/>1<\/text>/g)).toHaveLength(1);
    expect(svg.match(/>5<\/text>/g)).toHaveLength(1);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});
