/**
 * What pages download of the built package: opens them in a fresh profile and counts the files that they ask for. The page's own
 * HTML and its photos are not the package's and left out.
 */
import type { Browser } from 'playwright-core';
import type * as Bitmarks from '../src/index';
import { serve } from '../test/helpers/serve';
import { sizesOf } from './downloads';
import type { PageDownload } from './measurement';

type Landmarker = 'FaceLandmarker' | 'PoseLandmarker';

const LANDMARKERS: Readonly<Record<PageDownload['page'], readonly Landmarker[]>> = {
  face: ['FaceLandmarker'],
  'face and pose': ['FaceLandmarker', 'PoseLandmarker'],
};
const LIMIT_MS = 120_000;

/** Creates the page's landmarkers on one engine. Rejects where that engine cannot run. */
export async function pageDownload(
  browser: Browser,
  page: PageDownload['page'],
  engine: PageDownload['engine'],
): Promise<PageDownload> {
  const server = await serve({
    folders: { '/sdk/': 'dist' },
    files: {
      '/': '<!doctype html><link rel="icon" href="data:," /><script src="/sdk/bitmarks.global.js"></script>',
    },
  });
  const context = await browser.newContext();
  try {
    const tab = await context.newPage();
    tab.setDefaultTimeout(LIMIT_MS);
    await tab.goto(server.origin);
    const used = await tab.evaluate(
      async ({ names, delegate }) => {
        const sdk = Reflect.get(window, 'bitmarks') as typeof Bitmarks;
        const made = names.map((name) => sdk[name].create({ delegate, selfTest: false }));
        return (await Promise.all(made)).map(({ info }) => info.backend);
      },
      { names: [...LANDMARKERS[page]], delegate: engine },
    );
    if (used.some((backend) => backend !== engine))
      throw new Error(`the page ran on ${used.join(', ')}, expected ${engine}`);
    const prefix = '/sdk/';
    const files = new Map(
      server.requests
        .filter(({ path, status }) => status === 200 && path.startsWith(prefix))
        .map(({ path, body }) => [path.slice(prefix.length), body]),
    );
    return { page, engine, ...(await sizesOf(files.values())), files: [...files.keys()].sort() };
  } finally {
    await context.close();
    await server.close();
  }
}
