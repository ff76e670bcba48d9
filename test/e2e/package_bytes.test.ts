/**
 * What a face page downloads: the code that Chromium really asks for, compressed as a good server would, stays within the
 * budgets, and no path downloads the engine of another.
 */
import { existsSync } from 'node:fs';
import { constants, brotliCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { launchChromium, packagePages, PHOTOS, visit } from '../helpers/package_page';
import { serve } from '../helpers/serve';

/** Packs that the package brings for a face page: the finder too once there is one. */
const PACKS = ['models/face.bitmarks', 'models/face-finder.bitmarks'].filter((file) =>
  existsSync(`dist/${file}`),
);

interface Download {
  readonly backend: string | undefined;
  /** Paths under the package, sorted, each once. */
  readonly files: readonly string[];
  /** Scripts and WASM modules, brotli at its best. */
  readonly codeBytes: number;
}

/** Creating is enough to load everything; it spares software WebGPU the whole network. */
async function download(gpu: 'swiftshader' | 'none', page: string): Promise<Download> {
  const server = await serve({
    folders: { '/sdk/': 'dist', ...PHOTOS },
    files: packagePages({ sdk: '/sdk', options: { selfTest: false }, detects: false }),
  });
  const browser = await launchChromium(gpu);
  try {
    const { backend, failure } = await visit(browser, `${server.origin}/${page}`);
    expect(failure).toBeUndefined();
    const bodies = new Map(
      server.requests
        .filter(({ path }) => path.startsWith('/sdk/'))
        .map(({ path, body }) => [path.slice('/sdk/'.length), body]),
    );
    const codeBytes = [...bodies]
      .filter(([file]) => /\.(js|wasm)$/.test(file))
      .reduce((sum, [, body]) => sum + compressedBytes(body), 0);
    return { backend, files: [...bodies.keys()].sort(), codeBytes };
  } finally {
    await browser.close();
    await server.close();
  }
}

function compressedBytes(body: Buffer): number {
  return brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).byteLength;
}

test.each([
  ['global.html', 'bitmarks.global.js'],
  ['module.html', 'bitmarks.js'],
])('%s on WASM: at most 60 kB of code, nothing of the GPU', async (page, script) => {
  const { backend, files, codeBytes } = await download('none', page);
  expect(backend).toBe('wasm');
  expect(files).toEqual([script, 'bitmarks.worker.js', ...PACKS, 'wasm/relaxed.wasm'].sort());
  expect(codeBytes).toBeLessThanOrEqual(60_000);
});

test.each([
  ['global.html', 'bitmarks.global.js'],
  ['module.html', 'bitmarks.js'],
])('%s on WebGPU: at most 120 kB of code, no WASM', async (page, script) => {
  const { backend, files, codeBytes } = await download('swiftshader', page);
  expect(backend).toBe('webgpu');
  expect(files).toEqual([script, 'bitmarks.webgpu.js', 'bitmarks.worker.js', ...PACKS].sort());
  expect(codeBytes).toBeLessThanOrEqual(120_000);
});
