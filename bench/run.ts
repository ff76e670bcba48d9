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
import type { BenchOptions, Contestant, Measurement } from './measurement';
import { writeOnnxModels } from './onnx/write_models';
import { plot } from './plot';
import { summarize } from './report';
import { ROWS, type Row, type Task } from './rows';
import { PHOTOS, RowSession } from './session';
import { barsText, markdown } from './table';

/** auto: whatever adapter Chromium finds. */
const GPU: Readonly<Record<string, readonly string[]>> = {
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
    frames: { type: 'string', default: '50' },
    only: { type: 'string', default: '' },
    gpu: { type: 'string', default: existsSync('/dev/dri') ? 'auto' : 'swiftshader' },
    out: { type: 'string', default: 'bench/results/latest' },
  },
});
const options: BenchOptions = {
  rounds: Number(values.rounds),
  turnMs: Number(values.turn),
  frames: Number(values.frames),
};
const gpuFlags = GPU[values.gpu];
if (
  gpuFlags === undefined ||
  !(options.rounds >= 1 && options.turnMs >= 0 && options.frames >= 1)
) {
  console.error(
    'usage: npm run bench -- [--rounds N] [--turn MS] [--frames N] [--only PATTERN] [--gpu auto|swiftshader|none] [--out FILE]',
  );
  process.exit(2);
}

const only = new RegExp(values.only);
const rows = ROWS.filter(({ id, gpu }) => only.test(id) && (values.gpu !== 'none' || !gpu));
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
    build: {
      ...{ outDir: folders.page, target: 'es2022', assetsInlineLimit: 0 },
      ...{ chunkSizeWarningLimit: 4000, modulePreload: false },
    },
  });
  for (const task of TASKS) {
    const photos = PHOTOS[task].map((file) => `demo/photos/${file}`);
    await writeOnnxModels(task, photos, folders.onnx);
  }
  browser = await chromium.launch({
    executablePath: requireChromium(),
    args: [...FLAGS, ...gpuFlags],
  });
  const report = summarize(await measure(browser, rows), options, {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    load: loadavg().map((load) => Number(load.toFixed(1))),
    browser: `Chromium ${browser.version()}`,
    platform: `${process.platform} ${process.arch}`,
  });
  mkdirSync(path.dirname(values.out), { recursive: true });
  writeFileSync(`${values.out}.json`, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(`${values.out}.md`, markdown(report));
  writeFileSync(`${values.out}.svg`, plot(report));
  console.log(
    `${markdown(report)}\n${barsText(report)}\n\nwritten to ${values.out}.json, .md, .svg`,
  );
} finally {
  await browser?.close();
  rmSync(scratch, { recursive: true, force: true });
}

async function measure(opened: Browser, of: readonly Row[]): Promise<Measurement> {
  const sessions: RowSession[] = [];
  const absent: { row: string; reason: string }[] = [];
  const failed = (row: Row, error: unknown): void => {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    absent.push({ row: row.id, reason });
    console.error(`${row.id}: ${reason}`);
  };
  for (const row of of) {
    try {
      sessions.push(await RowSession.open(opened, row, folders));
    } catch (error) {
      failed(row, error);
    }
  }
  for (let round = 0; round < options.rounds; round += 1) {
    // Each row begins a round as often as any other.
    for (let turn = 0; turn < sessions.length; turn += 1) {
      await sessions[(round + turn) % sessions.length]?.takeTurn(round, options.turnMs);
    }
  }
  const contestants: Contestant[] = [];
  for (const session of sessions) {
    try {
      contestants.push(await session.finish(options.frames));
    } catch (error) {
      failed(session.row, error);
    }
    await session.close();
  }
  const models = TASKS.map((task) => parsePack(readFileSync(`models/${task}.bitmarks`)));
  return {
    packs: models.map(({ manifest, sha256 }) => ({ name: manifest.name, sha256 })),
    agreements: models.flatMap((model, i) => agreementsOf(contestants, TASKS[i] ?? 'face', model)),
    ...{ contestants, absent },
  };
}
