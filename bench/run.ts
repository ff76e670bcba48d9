/**
 * `npm run bench`: builds the benchmark page, opens it in Chromium, prints a table and writes bench/results/latest.json.
 * `-- --rounds N --turn MS --gpu auto|swiftshader|none --out FILE`. bench/README.md says how to read it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { COMMON_FLAGS, GPU_FLAGS, requireChromium } from '../scripts/chromium.mjs';
import { serve } from '../test/helpers/serve';
import type { BenchOptions, Measurement } from './measurement';
import { printTable, summarize } from './report';

/** auto: whatever adapter Chromium finds, which is SwiftShader where there is no GPU. */
const GPU: Readonly<Record<string, readonly string[]>> = {
  auto: ['--enable-unsafe-webgpu'],
  swiftshader: GPU_FLAGS,
  none: [],
};
/** A page isolated from others has a clock of 5 microseconds instead of 100. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    turn: { type: 'string', default: '150' },
    gpu: { type: 'string', default: 'auto' },
    out: { type: 'string', default: 'bench/results/latest.json' },
  },
});
const options: BenchOptions = { rounds: Number(values.rounds), turnMs: Number(values.turn) };
const gpuFlags = GPU[values.gpu];
if (gpuFlags === undefined || !(options.rounds >= 1) || !(options.turnMs >= 0)) {
  console.error('usage: npm run bench -- [--rounds N] [--turn MS] [--gpu auto|swiftshader|none]');
  process.exit(2);
}

const folder = mkdtempSync(path.join(tmpdir(), 'bitmarks-bench-'));
await build({
  root: 'bench/page',
  configFile: false,
  logLevel: 'error',
  base: './',
  assetsInclude: ['**/*.bitmarks'],
  build: { outDir: folder, target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 2000 },
});
const server = await serve({ folders: { '/': folder }, headers: ISOLATED });
const browser = await chromium.launch({
  executablePath: requireChromium(),
  args: [...COMMON_FLAGS, ...gpuFlags],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => {
    console.error(error);
  });
  await page.goto(`${server.origin}/index.html`);
  await page.waitForFunction(() => 'measure' in window);
  const measurement = await page.evaluate(
    (given) =>
      (Reflect.get(window, 'measure') as (options: BenchOptions) => Promise<Measurement>)(given),
    options,
  );
  const report = summarize(measurement, options, {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    load: loadavg().map((load) => Number(load.toFixed(1))),
    browser: `Chromium ${browser.version()}`,
    platform: `${process.platform} ${process.arch}`,
  });
  printTable(report);
  mkdirSync(path.dirname(values.out), { recursive: true });
  writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\nwritten to ${values.out}`);
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}
