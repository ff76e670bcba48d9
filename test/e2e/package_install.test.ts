/**
 * The package as npm packs it, installed into a Vite app of its own: it type-checks, builds, and finds a face in the
 * development server and in the build.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, createServer } from 'vite';
import { launchChromium, PHOTOS, visit } from '../helpers/package_page';
import { serve } from '../helpers/serve';

const APP = {
  'package.json': JSON.stringify({ name: 'app', private: true, type: 'module' }),
  'index.html': '<!doctype html><title>app</title><script type="module" src="/main.ts"></script>',
  'main.ts': `
    import { FaceLandmarker, BitmarksError, type FaceLandmarkerResult } from 'bitmarks';

    interface Outcome { backend?: string; points?: [number, number][]; failure?: { code: string; message: string } }

    async function run(): Promise<Outcome> {
      try {
        const image = new Image();
        image.src = '/photos/face_01.jpg';
        await image.decode();
        const landmarker = await FaceLandmarker.create();
        const result: FaceLandmarkerResult = await landmarker.detect(image);
        const backend: string = landmarker.info.backend;
        landmarker.close();
        return { backend, points: result.faces[0]?.landmarks.map(({ x, y }) => [x, y]) ?? [] };
      } catch (error) {
        const code = error instanceof BitmarksError ? error.code : 'other';
        return { failure: { code, message: String(error) } };
      }
    }
    Object.assign(window, { outcome: run() });
  `,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      ...{ target: 'ES2022', module: 'ESNext', moduleResolution: 'bundler', strict: true },
      // Declarations of the package are checked too, with nothing but the browser's own types.
      ...{ lib: ['ES2022', 'DOM', 'DOM.Iterable'], types: [], skipLibCheck: false, noEmit: true },
    },
    include: ['main.ts'],
  }),
};

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'bitmarks-app-'));
  for (const [name, text] of Object.entries(APP)) writeFileSync(path.join(folder, name), text);
  npm(process.cwd(), 'pack', '--ignore-scripts', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack wrote no file');
  npm(folder, 'install', '--offline', '--no-audit', '--no-fund', `./${tarball}`);
  mkdirSync(path.join(folder, 'public'));
  symlinkSync(path.resolve('demo/photos'), path.join(folder, 'public/photos'));
  browser = await launchChromium('none');
});

afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

function npm(cwd: string, ...args: string[]): void {
  execFileSync('npm', args, { cwd, stdio: 'pipe' });
}

test('it brings no further packages', () => {
  const installed = readdirSync(path.join(folder, 'node_modules')).filter(
    (name) => !name.startsWith('.'),
  );
  expect(installed).toEqual(['bitmarks']);
});

test('its types stand alone', () => {
  const tsc = path.resolve('node_modules/.bin/tsc');
  const { stdout } = spawnSync(tsc, ['-p', folder], { encoding: 'utf8' });
  expect(stdout).toBe('');
});

test('the development server of the app finds a face', async () => {
  const server = await createServer({
    root: folder,
    configFile: false,
    logLevel: 'error',
    server: { port: 0 },
  });
  try {
    await server.listen();
    const outcome = await visit(browser, server.resolvedUrls?.local[0] ?? '');
    expect(outcome.failure).toBeUndefined();
    expect(outcome.backend).toBe('wasm');
    expect(outcome.points).toHaveLength(68);
  } finally {
    await server.close();
  }
});

test('the build of the app finds a face', async () => {
  await build({ root: folder, configFile: false, logLevel: 'error' });
  const server = await serve({
    folders: { ...PHOTOS, '/': path.join(folder, 'dist') },
    files: {},
  });
  try {
    const outcome = await visit(browser, `${server.origin}/index.html`);
    expect(outcome.failure).toBeUndefined();
    expect(outcome.backend).toBe('wasm');
    expect(outcome.points).toHaveLength(68);
  } finally {
    await server.close();
  }
});
