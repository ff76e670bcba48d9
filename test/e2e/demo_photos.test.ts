/**
 * The demo's photos on a machine without a GPU, and some of them on WebGPU: landmarks where they are expected, and the same
 * ones on both, bit for bit.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResultDetail } from '../../demo/main';
import type { Server } from '../helpers/serve';
import {
  EXPECTED,
  launch,
  meanError,
  openDemo,
  resultOf,
  serveDemo,
  type ExpectedPhoto,
  type Gpu,
} from './support/visit_demo';

/** Share of the distance of the outer eye corners, mean over the 68 points. */
const LIMIT = 0.03;
/**
 * Faces turned by about 25 and 45 degrees. There the expected points themselves leave the outline (the jaw of face_12 runs
 * through the cheek and the scarf), and the network differs from them as much when it is given their own region.
 */
const TURNED_LIMITS: Readonly<Record<string, number>> = {
  'face_02.jpg': 0.045,
  'face_12.jpg': 0.065,
};

/** A GPU made of software takes a second per network run on a busy machine. */
const GPU_FILES = ['face_01.jpg', 'face_07.jpg'];
const PHOTOS: Readonly<Record<Gpu, readonly ExpectedPhoto[]>> = {
  none: EXPECTED,
  swiftshader: EXPECTED.filter(({ file }) => GPU_FILES.includes(file)),
};

const found = new Map<Gpu, Map<string, ResultDetail>>();
let server: Server;

beforeAll(async () => {
  server = await serveDemo();
});
afterAll(() => server.close());

describe.each(['none', 'swiftshader'] as const)('GPU: %s', (gpu) => {
  const photos = PHOTOS[gpu];
  const results = new Map<string, ResultDetail>();
  let browser: Browser;
  let texts: { backend: string; refusals: string; kernels: string[]; alert: string };

  beforeAll(async () => {
    browser = await launch(gpu);
    const page = await openDemo(browser, server.origin);
    for (const { file } of photos) {
      await page.getByRole('radio', { name: file }).check();
      results.set(file, await resultOf(page, file));
    }
    texts = {
      backend: await page.locator('#backend').innerText(),
      refusals: await page.locator('#refusals').innerText(),
      kernels: await page.locator('#kernels li').allTextContents(),
      alert: await page.locator('#alert').innerText(),
    };
    found.set(gpu, results);
    const rows = photos.map((photo) => {
      const detail = results.get(photo.file);
      const error = detail === undefined ? NaN : 100 * meanError(detail, photo);
      const score = detail?.result.faces[0]?.score ?? NaN;
      return `${photo.file} ${error.toFixed(2)} % (score ${score.toFixed(2)})`;
    });
    console.log(`mean error in inter-ocular distances, GPU ${gpu}:\n  ${rows.join('\n  ')}`);
  });
  afterAll(() => browser.close());

  test('the backend is the best one there is, and the page says why not a better one', () => {
    const infos = [...results.values()].map(({ info }) => info);
    const expected = gpu === 'none' ? 'wasm' : 'webgpu';
    expect(infos.map(({ backend }) => backend)).toEqual(photos.map(() => expected));
    expect(texts.backend).toBe(expected);
    expect(texts.alert).toBe('');
    const refusals = infos[0]?.refusals ?? [];
    expect(refusals.map(({ backend }) => backend)).toEqual(gpu === 'none' ? ['webgpu'] : []);
    if (gpu === 'none') expect(texts.refusals).toMatch(/^webgpu: .*adapter/);
    else expect(texts.refusals).toBe('none');
  });

  test('the kernels are listed, all of this backend', () => {
    const info = results.get('face_01.jpg')?.info;
    const kernels = info?.kernels ?? [];
    expect(texts.kernels).toEqual([...kernels, ...(info?.finder?.kernels ?? [])]);
    expect(kernels.length).toBeGreaterThan(20);
    const convs = kernels.filter((kernel) => kernel.includes('conv2d'));
    expect(convs.length).toBeGreaterThan(20);
    // Chromium has relaxed SIMD: plain SIMD alone would be a fast path that does not run.
    if (gpu === 'none') expect(convs.join()).toContain('relaxed');
    else expect(convs.filter((kernel) => /simd128|relaxed/.test(kernel))).toEqual([]);
  });

  test.each(photos)('$file: one face, where it is', (photo) => {
    const detail = results.get(photo.file);
    if (detail === undefined) throw new Error('no result');
    expect(detail.result.faces).toHaveLength(1);
    expect(meanError(detail, photo)).toBeLessThanOrEqual(TURNED_LIMITS[photo.file] ?? LIMIT);
  });

  test('all photos together are within the limit, turned faces included', () => {
    const errors = photos.map((photo) => {
      const detail = results.get(photo.file);
      return detail === undefined ? NaN : meanError(detail, photo);
    });
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(LIMIT);
  });
});

test('WebGPU and WASM give equal landmarks, to the last bit', () => {
  for (const file of GPU_FILES) {
    const [wasm, webgpu] = [found.get('none')?.get(file), found.get('swiftshader')?.get(file)];
    expect(wasm?.result.backend).toBe('wasm');
    expect(webgpu?.result.backend).toBe('webgpu');
    expect(webgpu?.result.faces).toEqual(wasm?.result.faces);
    expect(wasm?.result.faces.length).toBeGreaterThan(0);
  }
});
