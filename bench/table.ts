/**
 * A benchmark report as Markdown, and its bars as lines for a terminal.
 */
import type { Failure } from './measurement';
import { gpuText, type BenchReport, type Ratio, type RowReport, type Times } from './report';

const HEAD = [
  ...['row', 'download, kB (brotli)', 'cold start, ms', 'network, ms p50 / p95'],
  ...['frame, ms p50 / p95', '10^9 multiply-adds/s', 'times as long: network', 'frame'],
  ...['main thread, ms', 'memory, MB before / after (frames)', 'found'],
];

const FAILED: Readonly<Record<Failure['step'], string>> = {
  start: 'did not start',
  turn: 'failed in a turn and was left out',
  frames: 'failed before its main thread and memory were measured',
};

export function markdown(report: BenchReport): string {
  const { machine, date, agreements, failures, options, pages } = report;
  const parts = [
    `# Benchmark of ${date}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, ${machine.browser}, load averages ${machine.load.join(', ')}; ` +
      `${options.rounds} rounds of ${options.turnMs} ms, one thread but where a row says otherwise; ${gpuText(machine)}.`,
    rowTable(report),
    list(barLines(report)),
    list(
      pages.map(
        ({ page, engine, rawBytes, brotliBytes, files }) =>
          `a page with ${page} on ${engine} downloads ${kilobytes(rawBytes)} kB, ${kilobytes(brotliBytes)} kB with brotli: ${files.join(', ')}`,
      ),
    ),
    list(
      agreements.map(
        ({ row, differing, values, farthestPixels }) =>
          `${row}: ${differing} of ${values} heatmap values differ from the first engine's, landmarks at most ${farthestPixels.toFixed(2)} crop pixels apart`,
      ),
    ),
    list(failures.map(({ row, step, reason }) => `${row} ${FAILED[step]}: ${reason}`)),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** A line for each row. */
export function rowTable({ rows, ratios }: BenchReport): string {
  const line = (of: readonly string[]): string => `| ${of.join(' | ')} |`;
  return [
    ...[line(HEAD), line(HEAD.map(() => '---'))],
    ...rows.map((row) => line(cells(row, ratios))),
  ].join('\n');
}

export function barsText(report: BenchReport): string {
  return barLines(report).join('\n');
}

function barLines({ bars }: BenchReport): readonly string[] {
  return bars.map(({ text, needed, measured, quartiles, verdict }) => {
    const spread = quartiles === null ? '' : ` (middle half ${quartiles.join('..')})`;
    return `${verdict}: ${text}: ${measured ?? '-'}${spread}, needed ${needed}`;
  });
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}

function cells(row: RowReport, ratios: readonly Ratio[]): readonly string[] {
  const ratio = (workload: Ratio['workload']): string => {
    const found = ratios.find((other) => other.row === row.row && other.workload === workload);
    return found === undefined ? '' : String(found.p50);
  };
  const { download, memory, gigaMultiplyAdds } = row;
  return [
    `\`${row.row}\` ${row.label}`,
    `${kilobytes(download.rawBytes)} (${kilobytes(download.brotliBytes)})`,
    String(row.coldStartMs),
    times(row.network),
    times(row.frame),
    gigaMultiplyAdds === null ? '' : String(gigaMultiplyAdds.p50),
    ...[ratio('network'), ratio('frame'), String(row.mainThreadMs ?? '')],
    memory === null
      ? ''
      : `${megabytes(memory.beforeBytes)} / ${megabytes(memory.afterBytes)} (${memory.frames})`,
    row.found === null ? '' : `${Math.round(row.found * 100)} %`,
  ];
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(0);
}

function megabytes(bytes: number | null): string {
  return bytes === null ? '-' : (bytes / 1e6).toFixed(1);
}

function times(of: Times | null): string {
  return of === null ? '' : `${of.p50Ms} / ${of.p95Ms}`;
}
