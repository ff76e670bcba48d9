/**
 * `npm run screenshot`: builds the demo, opens it, waits for the landmarks and writes demo/screenshot.png for the README.
 * To be run again when weights or looks change. `--width`, `--height`, `--query`, `--out` take other pictures of the page.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { build, preview } from 'vite';
import { COMMON_FLAGS, requireChromium } from './chromium.mjs';

const MOST_BYTES = 300_000;

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '1240' },
    height: { type: 'string', default: '860' },
    query: { type: 'string', default: '' },
    scheme: { type: 'string', default: 'light' },
    full: { type: 'boolean', default: false },
    out: { type: 'string', default: 'demo/screenshot.png' },
  },
});

await build({ root: 'demo', logLevel: 'error' });
const server = await preview({ root: 'demo', preview: { port: 0 }, logLevel: 'error' });
const browser = await chromium.launch({ executablePath: requireChromium(), args: COMMON_FLAGS });
try {
  const page = await browser.newPage({
    viewport: { width: Number(values.width), height: Number(values.height) },
    colorScheme: values.scheme === 'dark' ? 'dark' : 'light',
  });
  await page.goto(`${server.resolvedUrls?.local[0] ?? ''}${values.query}`);
  await page.waitForFunction(
    () => document.querySelector('#status')?.textContent.includes('landmarks'),
    undefined,
    { timeout: 120_000 },
  );
  await page.waitForLoadState('networkidle');
  const shot = await page.screenshot({ fullPage: values.full });
  // A palette is enough for a page with one photo, and takes a third of the bytes.
  const png = await sharp(shot).png({ palette: true, quality: 90, effort: 10 }).toFile(values.out);
  if (png.size > MOST_BYTES) {
    throw new Error(`${values.out} has ${png.size} bytes, more than ${MOST_BYTES}`);
  }
  console.log(`${values.out}: ${png.width} x ${png.height}, ${png.size} bytes`);
} finally {
  await browser.close();
  await server.close();
}
// The preview server keeps connections of the closed browser for a while.
process.exit();
