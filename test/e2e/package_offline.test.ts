/**
 * A second visit without a network for packs and WASM modules: the copies of the first visit serve, or with `cache: false`
 * there are none. The page and the scripts come from the server both times.
 */
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, packagePages, PHOTOS, visitAgain } from '../helpers/package_page';
import { serve } from '../helpers/serve';
import { tinyPack, TINY_OPTIONS } from '../helpers/tiny_pack';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium('none');
});
afterAll(() => browser.close());

/** Visits once online, waits until `copies` files are kept, and visits again offline. */
async function visitTwice(options: object, copies: number) {
  let isOffline = false;
  const server = await serve({
    folders: { '/sdk/': 'dist', ...PHOTOS },
    files: {
      ...packagePages({
        sdk: '/sdk',
        options: { ...TINY_OPTIONS, ...options, model: '/tiny.bitmarks' },
      }),
      '/tiny.bitmarks': tinyPack(),
    },
    breaks: (path) => isOffline && /\.(bitmarks|wasm)$/.test(path),
  });
  const context = await browser.newContext();
  try {
    const url = `${server.origin}/module.html`;
    const online = await visitAgain(context, url);
    const kept = await waitForCopies(context, url, copies);
    isOffline = true;
    return { online, kept, offline: await visitAgain(context, url) };
  } finally {
    await context.close();
    await server.close();
  }
}

/** Paths of the copies, sorted; they are written after the landmarker is ready. */
async function waitForCopies(
  context: BrowserContext,
  url: string,
  count: number,
): Promise<readonly string[]> {
  const page = await context.newPage();
  await page.goto(url.replace('module.html', 'photos/README.md'));
  const read = (): Promise<string[]> =>
    page.evaluate(async () => {
      const requests = await (await caches.open('bitmarks')).keys();
      return requests.map((request) => new URL(request.url).pathname).sort();
    });
  await expect.poll(async () => (await read()).length).toBe(count);
  const kept = await read();
  await page.close();
  return kept;
}

test('works with the copies of the first, and gives the same landmarks', async () => {
  const { online, kept, offline } = await visitTwice({}, 2);
  expect(kept).toEqual(['/sdk/wasm/relaxed.wasm', '/tiny.bitmarks']);
  expect(online).toMatchObject({ backend: 'wasm', isCopy: false });
  expect(offline.failure).toBeUndefined();
  expect(offline).toMatchObject({ backend: 'wasm', isCopy: true });
  expect(offline.points).toHaveLength(5);
  expect(offline.points).toEqual(online.points);
});

test('fails where the page wanted no copies', async () => {
  const { online, kept, offline } = await visitTwice({ cache: false }, 0);
  expect(online).toMatchObject({ backend: 'wasm', isCopy: false });
  expect(kept).toEqual([]);
  expect(offline.failure?.code).toBe('pack/network');
});
