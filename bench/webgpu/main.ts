/**
 * The face network on WebGPU in Chromium on SwiftShader: each kernel variant, and the same graph in float on stock tfjs-webgpu.
 * `node scripts/run.mjs bench/webgpu/main.ts`, or with a pattern of rows; page.ts measures.
 */
import process from 'node:process';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { COMMON_FLAGS, GPU_FLAGS, requireChromium } from '../../scripts/chromium.mjs';
import type { WebgpuMeasurement } from './page';

const server = await createServer({
  configFile: false,
  logLevel: 'error',
  cacheDir: 'node_modules/.vite/webgpu_bench',
  assetsInclude: ['**/*.bitmarks'],
  optimizeDeps: { entries: ['bench/webgpu/page.ts'] },
  server: { port: 0, host: '127.0.0.1', hmr: false },
});
await server.listen();
const browser = await chromium.launch({
  executablePath: requireChromium(),
  args: [...COMMON_FLAGS, ...GPU_FLAGS],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => {
    console.error(error);
  });
  const rows = encodeURIComponent(process.argv[2] ?? '');
  await page.goto(`${server.resolvedUrls?.local[0] ?? ''}bench/webgpu/index.html?rows=${rows}`, {
    waitUntil: 'commit',
  });
  const ready = await page.waitForFunction(
    (): unknown => Reflect.get(globalThis, 'measured'),
    null,
    { timeout: 900_000 },
  );
  const { speeds } = (await ready.jsonValue()) as WebgpuMeasurement;
  for (const { name, medianMs, bestMs, ratio } of speeds) {
    console.log(
      `${name.padEnd(24)} median ${medianMs.toFixed(1).padStart(8)} ms, best ${bestMs.toFixed(1).padStart(8)} ms, ` +
        `${ratio.toFixed(2)} times as long as the first (median of the rounds)`,
    );
  }
} finally {
  await browser.close();
  await server.close();
}
