/**
 * The built `bitmarks/tfjs` in a page that brings its own TensorFlow.js.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { build } from 'vite';
import { launchChromium } from '../helpers/package_page';
import { serve } from '../helpers/serve';
import { tinyPack } from '../helpers/tiny_pack';

interface Outcome {
  readonly reference: readonly number[];
  readonly wasm: readonly number[];
  readonly tensors: number;
}

test('a pack runs as a kernel of the TensorFlow.js that the page has', async () => {
  const outDir = mkdtempSync(path.join(tmpdir(), 'bitmarks-tfjs-'));
  await build({
    root: 'test/e2e/page_tfjs',
    configFile: false,
    logLevel: 'error',
    resolve: { alias: { 'bitmarks/tfjs': path.resolve('dist/bitmarks.tfjs.js') } },
    build: { outDir, target: 'es2022' },
  });
  const server = await serve({
    folders: { '/wasm/': 'dist/wasm', '/': outDir },
    files: { '/tiny.bitmarks': tinyPack() },
  });
  const browser = await launchChromium('none');
  try {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/index.html`);
    const { reference, wasm, tensors } = await page.evaluate(
      async () => (await Reflect.get(window, 'outcome')) as Outcome,
    );
    expect(reference).toHaveLength(8 * 8 * 5);
    expect(new Set(reference).size).toBeGreaterThan(10);
    expect(wasm).toEqual(reference);
    expect(tensors).toBe(0);
  } finally {
    await browser.close();
    await server.close();
    rmSync(outDir, { recursive: true, force: true });
  }
});
