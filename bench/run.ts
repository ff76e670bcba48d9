/**
 * `npm run bench`: opens every row in a page of its own in Chromium, lets them take turns, prints a table and the bars, and
 * writes bench/results/latest.json, .md and .svg. bench/README.md has the options and says how to read it.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { chromium, type Browser } from 'playwright-core';
import { build } from 'vite';
import { COMMON_FLAGS, GPU_FLAGS, requireChromium } from '../scripts/chromium.mjs';
import { parsePack } from '../src/model/pack';
import { agreementsOf } from './agreement';
import type { BenchOptions, Measurement, PageDownload } from './measurement';
import { writeOnnxModels } from './onnx/write_models';
import { pageDownload } from './page_downloads';
import { plot } from './plot';
import { summarize, type BenchReport, type Gpu } from './report';
import { ROWS, type Task } from './rows';
import { PHOTOS, RowSession } from './session';
import { barsText, markdown } from './table';
import { takeTurns, type Standing } from './turns';

const GPU_CHOICES: Readonly<Record<Gpu, readonly string[]>> = {
  auto: ['--enable-unsafe-webgpu'],
  swiftshader: GPU_FLAGS,
  none: [],
};
const FLAGS = [
  ...COMMON_FLAGS,
  // Pages wait for their turn in the background; and memory is to be told at once.
  ...['--disable-renderer-backgrounding', '--disable-background-timer-throttling'],
  '--enable-blink-features=ForceEagerMeasureMemory',
];
const TASKS: readonly Task[] = ['face', 'pose'];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    turn: { type: 'string', default: '150' },
    limit: { type: 'string', default: '120' },
    'memory-frames': { type: 'string', default: '1000' },
    'memory-seconds': { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    gpu: { type: 'string', default: existsSync('/dev/dri') ? 'auto' : 'swiftshader' },
    out: { type: 'string', default: 'bench/results/latest' },
  },
});
const options: BenchOptions = {
  rounds: Number(values.rounds),
  turnMs: Number(values.turn),
  limitMs: Number(values.limit) * 1000,
  memoryFrames: Number(values['memory-frames']),
  memoryMs: Number(values['memory-seconds']) * 1000,
};
const gpu = (['auto', 'swiftshader', 'none'] as const).find((choice) => choice === values.gpu);
const { rounds, turnMs, limitMs, memoryFrames, memoryMs } = options;
if (
  gpu === undefined ||
  !(rounds >= 1 && turnMs >= 0 && limitMs > 0 && memoryFrames >= 0 && memoryMs > 0)
) {
  console.error(
    'usage: npm run bench -- [--rounds N] [--turn MS] [--limit SECONDS] [--memory-frames N] [--memory-seconds SECONDS]' +
      ' [--only PATTERN] [--gpu auto|swiftshader|none] [--out FILE]',
  );
  process.exit(2);
}

const only = new RegExp(values.only);
const rows = ROWS.filter((row) => only.test(row.id) && (gpu !== 'none' || !row.gpu));
let load = loadavg();
const scratch = mkdtempSync(path.join(tmpdir(), 'bitmarks-bench-'));
const folders = { page: path.join(scratch, 'page'), onnx: path.join(scratch, 'onnx') };
mkdirSync(folders.onnx);
let browser: Browser | undefined;
try {
  await build({
    root: 'bench/page',
    configFile: false,
    logLevel: 'error',
    base: './',
    worker: { format: 'es' },
    build: {
      ...{ outDir: folders.page, target: 'es2022', assetsInlineLimit: 0 },
      ...{ chunkSizeWarningLimit: 4000, modulePreload: false },
    },
  });
  for (const task of TASKS) {
    if (!rows.some((row) => row.task === task && row.maker === 'onnx_runtime')) continue;
    const photos = PHOTOS[task].map((file) => `demo/photos/${file}`);
    await writeOnnxModels(task, photos, folders.onnx);
  }
  browser = await chromium.launch({
    executablePath: requireChromium(),
    args: [...FLAGS, ...GPU_CHOICES[gpu]],
  });
  const pages = await pageDownloads(browser);
  mkdirSync(path.dirname(values.out), { recursive: true });
  const partial = `${values.out}.partial.json`;
  const opened = browser;
  const standing = await takeTurns(
    rows,
    (row) => {
      console.error(`${row.id} starts`);
      return RowSession.open(opened, row, folders);
    },
    options,
    (unfinished, step) => {
      // Of the times, which the rounds bring.
      if (step === 'round') load = loadavg();
      const { contestants, failures } = unfinished;
      console.error(
        `${step} done: ${contestants.length} rows, ${failures.length} failures, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
      );
      writeFileSync(partial, json(reportOf(unfinished, pages, opened, gpu)));
    },
  );
  const report = reportOf(standing, pages, opened, gpu);
  writeFileSync(`${values.out}.json`, json(report));
  writeFileSync(`${values.out}.md`, markdown(report));
  writeFileSync(`${values.out}.svg`, plot(report));
  rmSync(partial, { force: true });
  console.log(
    `${markdown(report)}\n${barsText(report)}\n\nwritten to ${values.out}.json, .md, .svg`,
  );
} finally {
  await browser?.close();
  rmSync(scratch, { recursive: true, force: true });
}

function json(report: BenchReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

function reportOf(
  { contestants, failures }: Standing,
  pages: readonly PageDownload[],
  opened: Browser,
  on: Gpu,
): BenchReport {
  const models = TASKS.map((task) => parsePack(readFileSync(`models/${task}.bitmarks`)));
  const measurement: Measurement = {
    packs: models.map(({ manifest, sha256 }) => ({ name: manifest.name, sha256 })),
    agreements: models.flatMap((model, i) => agreementsOf(contestants, TASKS[i] ?? 'face', model)),
    ...{ contestants, failures, pages },
  };
  return summarize(measurement, options, {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    load: load.map((average) => Number(average.toFixed(1))),
    browser: `Chromium ${opened.version()}`,
    platform: `${process.platform} ${process.arch}`,
    gpu: on,
  });
}

/** Those that can be had with this browser. */
async function pageDownloads(opened: Browser): Promise<PageDownload[]> {
  const pages: PageDownload[] = [];
  for (const page of ['face', 'face and pose'] as const) {
    for (const engine of ['wasm', 'webgpu'] as const) {
      if (!only.test(`page/${page}/${engine}`)) continue;
      if (gpu === 'none' && engine === 'webgpu') continue;
      try {
        pages.push(await pageDownload(opened, page, engine));
      } catch (error) {
        console.error(`a page with ${page} on ${engine}: ${String(error)}`);
      }
    }
  }
  return pages;
}
