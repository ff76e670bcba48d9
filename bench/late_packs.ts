/**
 * How long `FaceLandmarker.create` takes on WebGPU when packs come late, as from a distant server: of the built package, and of others
 * whose folders are given, in turns. `node scripts/run.mjs bench/late_packs.ts [--late MS] [--rounds N] [DIST ...]`
 */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium, type Browser } from 'playwright-core';
import { COMMON_FLAGS, GPU_FLAGS, requireChromium } from '../scripts/chromium.mjs';
import type * as Bitmarks from '../src/index';
import { serve } from '../test/helpers/serve';
import { median } from './measurement';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    late: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '5' },
  },
});
const [lateMs, rounds] = [Number(values.late), Number(values.rounds)];
if (!(lateMs >= 0 && rounds >= 1)) {
  console.error('usage: bench/late_packs.ts [--late MS] [--rounds N] [DIST ...]');
  process.exit(2);
}

const builds = ['dist', ...positionals];
const browser = await chromium.launch({
  executablePath: requireChromium(),
  args: [...COMMON_FLAGS, ...GPU_FLAGS],
});
try {
  const times = builds.map((): { createMs: number; compileMs: number }[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, dist] of builds.entries()) times[index]?.push(await create(browser, dist));
  }
  for (const [index, dist] of builds.entries()) {
    const all = times[index] ?? [];
    const createMs = all.map((time) => time.createMs.toFixed(0)).join(', ');
    const compileMs = median(all.map((time) => time.compileMs)).toFixed(0);
    console.log(`${dist}: create ${createMs} ms; compile ${compileMs} ms of it in the middle`);
  }
} finally {
  await browser.close();
}

/** In a fresh profile. */
async function create(opened: Browser, dist: string) {
  const script = '<script src="/sdk/bitmarks.global.js"></script>';
  const server = await serve({
    folders: { '/sdk/': dist },
    files: { '/': `<!doctype html><link rel="icon" href="data:," />${script}` },
  });
  const context = await opened.newContext();
  try {
    await context.route('**/*.bitmarks', async (route) => {
      await delay(lateMs);
      await route.continue();
    });
    const page = await context.newPage();
    await page.goto(server.origin);
    return await page.evaluate(async () => {
      const sdk = Reflect.get(window, 'bitmarks') as typeof Bitmarks;
      const startMs = performance.now();
      const { info } = await sdk.FaceLandmarker.create({ delegate: 'webgpu', selfTest: false });
      return { createMs: performance.now() - startMs, compileMs: info.timings.compileMs };
    });
  } finally {
    await context.close();
    await server.close();
  }
}
