/**
 * The measured numbers of README.md, from dist/, the packs and bench/results/. Invents nothing: what has not been measured
 * is left out. `npm run figures` writes them.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { constants, brotliCompressSync } from 'node:zlib';
import type { BenchReport } from '../bench/report';
import { rowTable } from '../bench/table';
import { parsePack } from '../src/model/pack';

/** What training writes into a pack's manifest. */
interface Evaluation {
  readonly images?: number;
  readonly float?: Figures;
  readonly integer?: Figures;
}

/** Those of faces, of poses, of finders. */
type Figures = Readonly<Record<string, unknown>>;

/** Figures that are shown, and their names. */
const SHOWN: Readonly<Record<string, (value: number) => string>> = {
  nme: (value) => `NME ${value} %`,
  fr8: (value) => `failures at 8 % ${value} %`,
  auc8: (value) => `AUC at 8 % ${value} %`,
  pck: (value) => `PCK@0.2 ${value} %`,
  recall: (value) => `recall ${value} %`,
  alarmsPerFrame: (value) => `${value} false alarms per image`,
};

const BENCH = 'bench/results/latest.json';
const START = '<!-- figures -->';
const END = '<!-- /figures -->';

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

function compressed(files: readonly string[]): string {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  const sizes = files.map(
    (file) => brotliCompressSync(readFileSync(`dist/${file}`), { params }).byteLength,
  );
  return kilobytes(sizes.reduce((sum, size) => sum + size, 0));
}

function packFiles(): string[] {
  return readdirSync('models').filter((file) => file.endsWith('.bitmarks'));
}

/** What pages download. */
function sizes(): string {
  const page = ['bitmarks.global.js', 'bitmarks.worker.js'];
  return table(
    ['download', 'size'],
    [
      ['code of a page on WASM, brotli', compressed([...page, 'wasm/relaxed.wasm'])],
      ['code of a page on WebGPU, brotli', compressed([...page, 'bitmarks.webgpu.js'])],
      ...packFiles().map((file) => {
        const { byteLength } = readFileSync(path.join('models', file));
        return [`\`${file}\`, as it is`, kilobytes(byteLength)];
      }),
    ],
  );
}

/** Validation figures that the packs carry, a row for each; empty without any. */
export function accuracyTable(): string {
  const rows = packFiles().flatMap((file) => {
    const { manifest } = parsePack(readFileSync(path.join('models', file)));
    const { images, float, integer } = manifest.evaluation as Evaluation;
    return (['integer', 'float'] as const).flatMap((kind) => {
      const figures = { integer, float }[kind];
      if (figures === undefined) return [];
      const network = kind === 'integer' ? 'as shipped' : 'in float, before export';
      const shown = Object.entries(SHOWN).flatMap(([name, text]) => {
        const value = figures[name];
        return typeof value === 'number' ? [text(value)] : [];
      });
      return [[`\`${file}\` ${network}`, String(images ?? ''), shown.join(', ')]];
    });
  });
  if (rows.length === 0) return '';
  return table(['network', 'validation images', 'figures'], rows);
}

/** The last benchmark: a row for each, then the bars that do not hold; empty without one. */
function speed(): string {
  if (!existsSync(BENCH)) return '';
  const report = JSON.parse(readFileSync(BENCH, 'utf8')) as BenchReport;
  const { date, machine, bars } = report;
  const { cpu, cores, load, browser } = machine;
  const short = bars.filter(({ verdict }) => verdict === 'missed');
  const verdict =
    short.length === 0
      ? 'All bars that were measured hold.'
      : `Bars that are missed: ${short.map(({ text, measured, needed }) => `${text} (${measured ?? ''} of ${needed})`).join('; ')}.`;
  return (
    `${rowTable(report)}\n\nMeasured ${date}, one thread: ${cpu}, ${cores} cores, ${browser}, load averages ` +
    `${load.join(', ')} (above the number of cores, only the ratios mean something). [bench](bench/README.md) says what the ` +
    `columns are. ${verdict}`
  );
}

/** Replaces the part of README.md between the two markers. */
export function writeFigures(): void {
  const readme = readFileSync('README.md', 'utf8');
  const [before, after] = [readme.indexOf(START), readme.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`README.md has no ${START} followed by ${END}`);
  const parts = [sizes(), accuracyTable(), speed()].filter((part) => part !== '');
  writeFileSync(
    'README.md',
    `${readme.slice(0, before)}${START}\n\n${parts.join('\n\n')}\n\n${readme.slice(after)}`,
  );
}
