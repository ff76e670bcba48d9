/**
 * The WASM engine on several threads, in a page that is cross-origin isolated and in one that is not: the same values as the
 * reference on every case, with every variant; and what happens when a helper cannot be started, or dies.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createServer, type ViteDevServer } from 'vite';
import { launchChromium } from '../helpers/package_page';
import type { ThreadsOutcome, ThreadsTask } from './page_threads/engine_worker';

const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

let browser: Browser;
const servers: ViteDevServer[] = [];

async function open(headers: Readonly<Record<string, string>>): Promise<Page> {
  const server = await createServer({
    configFile: false,
    logLevel: 'error',
    cacheDir: `node_modules/.vite/threads-${servers.length}`,
    worker: { format: 'es' },
    assetsInclude: ['**/*.bitmarks'],
    // Found late, they would make Vite reload the page in the middle of a test.
    optimizeDeps: { include: ['fast-check', 'comlink'], entries: [] },
    server: { port: 0, host: '127.0.0.1', hmr: false, headers },
  });
  servers.push(server);
  await server.listen();
  const page = await browser.newPage();
  await page.goto(`${server.resolvedUrls?.local[0] ?? ''}test/e2e/page_threads/index.html`);
  await page.waitForFunction(() => 'ask' in window);
  return page;
}

function ask(page: Page, task: ThreadsTask): Promise<ThreadsOutcome> {
  return page.evaluate(
    (given) =>
      (Reflect.get(window, 'ask') as (task: ThreadsTask) => Promise<ThreadsOutcome>)(given),
    task,
  );
}

beforeAll(async () => {
  browser = await launchChromium('none');
});
afterAll(async () => {
  await browser.close();
  await Promise.all(servers.map((server) => server.close()));
});

describe('an isolated page', () => {
  let page: Page;
  beforeAll(async () => {
    page = await open(ISOLATED);
  });

  test.each([
    ['relaxed', true, 2],
    ['relaxed', false, 3],
    ['simd128', false, 2],
  ] as const)(
    '%s, fused dot %s, on %i threads: every case, random graphs and the face network equal the reference',
    async (variant, fusedDot, threads) => {
      const outcome = await ask(page, {
        ...{ kind: 'compare', variant, fusedDot, threads, graphs: 100 },
      });
      expect(outcome.difference).toBeNull();
      expect(outcome.device).toBe(`WASM ${variant}, ${threads} threads`);
      expect(outcome.compared).toBeGreaterThan(400);
    },
  );

  test('a frame whose helper has died is an error, and the next one runs on one thread', async () => {
    const outcome = await ask(page, {
      ...{ kind: 'lose', variant: 'relaxed', fusedDot: true, threads: 2, patienceMs: 1500 },
    });
    expect(outcome).toEqual({
      device: 'WASM relaxed, 2 threads',
      errors: ['backend/failed'],
      difference: null,
      deviceAfter: 'WASM relaxed, 1 thread (a helper thread stopped answering)',
    });
  });

  test('helpers that cannot be started are done without', async () => {
    const outcome = await ask(page, {
      ...{ kind: 'measure', variant: 'relaxed', fusedDot: true, threads: 2 },
      helperUrl: '/no/such/worker.js',
    });
    expect(outcome.device).toBe('WASM relaxed, 1 thread (a helper thread could not be started)');
  });
});

test('a page that is not isolated runs on one thread and says why', async () => {
  const page = await open({});
  const task = { kind: 'measure', variant: 'relaxed', fusedDot: true, threads: null } as const;
  expect((await ask(page, task)).device).toBe(
    'WASM relaxed, 1 thread (the page is not cross-origin isolated)',
  );
  expect((await ask(page, { ...task, threads: 1 })).device).toBe('WASM relaxed');
});
