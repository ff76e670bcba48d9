/**
 * Speed of the WASM kernels and of the face network on them, in Chromium, one thread:
 * `node scripts/run.mjs bench/wasm_kernels/main.ts`. Prints 10^9 multiply-adds per second; page.ts measures.
 */
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { COMMON_FLAGS, requireChromium } from '../../scripts/chromium.mjs';
import type { Measurement } from './page';

const server = await createServer({
  configFile: false,
  logLevel: 'error',
  cacheDir: 'node_modules/.vite/wasm_kernels',
  // The page imports sources of this repository alone.
  optimizeDeps: { noDiscovery: true },
  server: {
    port: 0,
    host: '127.0.0.1',
    hmr: false,
    // An isolated page has a clock of 5 microseconds instead of 100.
    headers: {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    },
  },
});
await server.listen();
const browser = await chromium.launch({ executablePath: requireChromium(), args: COMMON_FLAGS });
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => {
    console.error(error);
  });
  const address = server.resolvedUrls?.local[0] ?? '';
  await page.goto(`${address}bench/wasm_kernels/index.html`);
  const ready = await page.waitForFunction(
    (): unknown => Reflect.get(globalThis, 'measurements'),
    null,
    {
      timeout: 300_000,
    },
  );
  const rows = (await ready.jsonValue()) as readonly Measurement[];
  for (const { kernel, what, ms, multiplyAdds } of rows) {
    const speed = (multiplyAdds / ms / 1e6).toFixed(1).padStart(6);
    console.log(
      `${kernel.padEnd(20)} ${what.padEnd(26)} ${ms.toFixed(3).padStart(8)} ms ${speed} G/s`,
    );
  }
} finally {
  await browser.close();
  await server.close();
}
