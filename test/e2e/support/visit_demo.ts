/**
 * Opens the built demo in Chromium and reads what it finds. For end-to-end tests in Node.
 */
import { readFileSync } from 'node:fs';
import {
  chromium,
  type Browser,
  type BrowserContextOptions,
  type Page,
  type Request,
} from 'playwright-core';
import { inject } from 'vitest';
import type { ResultDetail } from '../../../demo/main';
import { COMMON_FLAGS, GPU_FLAGS, requireChromium } from '../../../scripts/chromium.mjs';
import { serve, type Server } from '../../helpers/serve';

/** swiftshader: a GPU adapter in software; none: the API without an adapter. */
export type Gpu = 'swiftshader' | 'none';

/** Long enough for a software GPU on a busy machine; a test that hangs is still told from one that is slow. */
export const PATIENCE_MS = 200_000;

/** Points of one photo in continuous pixel coordinates. */
export interface ExpectedPhoto {
  readonly file: string;
  readonly points: readonly (readonly [number, number])[];
}

export const EXPECTED: readonly ExpectedPhoto[] = (
  JSON.parse(readFileSync('demo/photos/expected.json', 'utf8')) as { images: ExpectedPhoto[] }
).images;

export function launch(gpu: Gpu, flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: requireChromium(),
    args: [...COMMON_FLAGS, ...(gpu === 'swiftshader' ? GPU_FLAGS : []), ...flags],
  });
}

/** Serves the built demo; the caller closes it. */
export function serveDemo(): Promise<Server> {
  return serve({ folders: { '/': inject('demoFolder') } });
}

/** Serves the page with the SDK alone, and the photos under /photos/; the caller closes it. */
export function serveSdk(): Promise<Server> {
  return serve({ folders: { '/photos/': 'demo/photos', '/': inject('sdkFolder') } });
}

/** A page of a fresh profile that keeps the demo's results; its context is closed with the browser. */
export async function openDemo(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions & { readonly query?: string } = {},
): Promise<Page> {
  const { query = '', ...contextOptions } = options;
  const context = await browser.newContext(contextOptions);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.addInitScript(() => {
    const results: unknown[] = [];
    Object.assign(window, { results });
    window.addEventListener('bitmarks:result', (event) => {
      results.push((event as CustomEvent).detail);
    });
  });
  await page.goto(`${origin}/index.html${query}`);
  return page;
}

/** A page with `window.sdk`; `requested` is called with each request of page and workers. */
export async function openSdk(
  browser: Browser,
  origin: string,
  requested: (request: Request) => void = () => undefined,
): Promise<Page> {
  const context = await browser.newContext({ permissions: ['camera'] });
  context.on('request', requested);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${origin}/index.html`);
  await page.waitForFunction(() => 'sdk' in window);
  return page;
}

/** The newest result for this picture; waits for one. */
export async function resultOf(page: Page, picture: string): Promise<ResultDetail> {
  const handle = await page.waitForFunction((name) => {
    const results = Reflect.get(window, 'results') as ResultDetail[];
    return results.findLast((result) => result.picture === name);
  }, picture);
  return (await handle.jsonValue()) as ResultDetail;
}

/** All results so far, in order. */
export function allResults(page: Page): Promise<ResultDetail[]> {
  return page.evaluate(() => Reflect.get(window, 'results') as ResultDetail[]);
}

/** Number of results so far. */
export function resultCount(page: Page): Promise<number> {
  return page.evaluate(() => (Reflect.get(window, 'results') as unknown[]).length);
}

/** Mean distance to the expected points in distances of the outer eye corners; 1 if no face was found. */
export function meanError({ result }: ResultDetail, expected: ExpectedPhoto): number {
  const landmarks = result.faces[0]?.landmarks;
  const [left, right] = [expected.points[36], expected.points[45]];
  if (left === undefined || right === undefined) throw new Error(`${expected.file} has no eyes`);
  if (landmarks === undefined) return 1;
  const unit = Math.hypot(right[0] - left[0], right[1] - left[1]);
  const distances = expected.points.map(([x, y], i) => {
    const point = landmarks[i];
    if (point === undefined) throw new Error(`landmark ${i} is missing`);
    return Math.hypot(point.x * result.width - x, point.y * result.height - y);
  });
  return distances.reduce((sum, distance) => sum + distance, 0) / distances.length / unit;
}
