/**
 * The built package on a page of another origin: script tag and ESM, with and without CORS, in a cross-origin isolated page,
 * under a strict content security policy. Each way that works must give the landmarks of the plain case.
 */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, packagePages, PHOTOS, visit } from '../helpers/package_page';
import { serve, type Server } from '../helpers/serve';
import { tinyPack, TINY_OPTIONS } from '../helpers/tiny_pack';

const CORS = { 'access-control-allow-origin': '*' };
const CORP = { 'cross-origin-resource-policy': 'cross-origin' };
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

type Headers = Readonly<Record<string, string>>;

/** `worked`: the landmarks; otherwise the code with which the page failed. */
interface Row {
  readonly name: string;
  readonly page: Headers | ((sdkOrigin: string) => Headers);
  readonly sdk: Headers;
  readonly global: string;
  readonly module: string;
}

const policy = (sdkOrigin: string): Headers => ({
  'content-security-policy': [
    "default-src 'self'",
    'worker-src blob:',
    `script-src 'self' ${sdkOrigin} 'wasm-unsafe-eval'`,
    `connect-src 'self' ${sdkOrigin}`,
  ].join('; '),
});

const ROWS: readonly Row[] = [
  { name: 'CORS', page: {}, sdk: CORS, global: 'worked', module: 'worked' },
  { name: 'no CORS', page: {}, sdk: {}, global: 'worker/failed', module: 'blocked' },
  {
    name: 'isolated page, CORS only',
    page: ISOLATED,
    sdk: CORS,
    global: 'blocked', // a plain script tag is not a CORS request
    module: 'worked',
  },
  {
    name: 'isolated page, CORS and CORP',
    page: ISOLATED,
    sdk: { ...CORS, ...CORP },
    global: 'worked',
    module: 'worked',
  },
  { name: 'strict CSP', page: policy, sdk: CORS, global: 'worked', module: 'worked' },
];

const servers: Server[] = [];
const open = async (...args: Parameters<typeof serve>): Promise<Server> => {
  const server = await serve(...args);
  servers.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A small network and its options: what is tried here is how files are reached. */
const PACK = { '/tiny.bitmarks': tinyPack() };
const pagesFor = (sdk: string): Record<string, string> =>
  packagePages({
    sdk,
    options: { ...TINY_OPTIONS, threads: 2, model: `${sdk}/tiny.bitmarks` },
  });

describe.each(['swiftshader', 'none'] as const)('GPU: %s', (gpu) => {
  const backend = gpu === 'none' ? 'wasm' : 'webgpu';
  let browser: Browser;
  let expected: unknown;

  beforeAll(async () => {
    browser = await launchChromium(gpu);
    const server = await serve({
      folders: { '/sdk/': 'dist', ...PHOTOS },
      files: {
        ...packagePages({ sdk: '/sdk', options: { ...TINY_OPTIONS, model: '/tiny.bitmarks' } }),
        ...PACK,
      },
    });
    const outcome = await visit(browser, `${server.origin}/global.html`);
    await server.close();
    expect(outcome).toMatchObject({ backend });
    expect(outcome.points).toHaveLength(5);
    expected = outcome.points;
  });
  afterAll(() => browser.close());

  describe.each(ROWS)('$name', (row) => {
    test.each(['global', 'module'] as const)('%s', async (kind) => {
      const sdk = await open({ folders: { '/': 'dist' }, files: PACK, headers: row.sdk });
      const page = await open({
        folders: PHOTOS,
        files: pagesFor(sdk.origin),
        headers: typeof row.page === 'function' ? row.page(sdk.origin) : row.page,
      });
      const outcome = await visit(browser, `${page.origin}/${kind}.html`);
      if (row[kind] !== 'worked') {
        expect(outcome.failure?.code).toBe(row[kind]);
        return;
      }
      expect(outcome.failure).toBeUndefined();
      expect(outcome.backend).toBe(backend);
      expect(outcome.points).toEqual(expected);
      const isIsolated = row.page === ISOLATED;
      expect(outcome.isolated).toBe(isIsolated);
      if (gpu === 'none') {
        const alone = /^WASM relaxed, 1 thread \(the page is not cross-origin isolated\)$/;
        expect(outcome.device).toMatch(isIsolated ? /^WASM relaxed, 2 threads$/ : alone);
      }
      expect(page.requests.map(({ path }) => path)).not.toContain('/bitmarks.worker.js');
    });
  });
});
