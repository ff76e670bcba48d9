/**
 * One row in a browser page of its own, served by a server of its own: start, turns, and what remains to be read afterwards.
 */
import type { Browser, CDPSession, Page } from 'playwright-core';
import { serve, type Server } from '../test/helpers/serve';
import { downloadOf } from './downloads';
import type { Contestant, Start, Turn } from './measurement';
import type { BenchPage } from './page/main';
import type { Row, Task } from './rows';

/** A page isolated from others has a clock of 5 microseconds instead of 100, and may ask how much memory it holds. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};
/** Photos with one face, in the order of demo/photos/expected.json; people. */
export const PHOTOS: Readonly<Record<Task, readonly string[]>> = {
  face: ['face_01.jpg', 'face_02.jpg', 'face_03.jpg', 'face_04.jpg'],
  pose: ['people_01.jpg', 'people_02.jpg', 'people_03.jpg', 'people_04.jpg'],
};
/** A row whose calls take longer than this takes part in the first rounds only. */
const SLOW_CALL_MS = 400;
const ROUNDS_OF_SLOW_ROWS = 2;
const START_TIMEOUT_MS = 180_000;

export class RowSession {
  readonly row: Row;
  readonly start: Start;
  readonly #page: Page;
  readonly #server: Server;
  readonly #rounds: (Turn | undefined)[] = [];

  private constructor(row: Row, start: Start, page: Page, server: Server) {
    this.row = row;
    this.start = start;
    this.#page = page;
    this.#server = server;
  }

  /** Throws what keeps the row from running. `folders`: of the built page, and of the ONNX files. */
  static async open(
    browser: Browser,
    row: Row,
    folders: { readonly page: string; readonly onnx: string },
  ): Promise<RowSession> {
    const server = await serve({
      folders: {
        ...{ '/packages/': 'node_modules', '/dist/': 'dist', '/models/': 'models' },
        ...{ '/photos/': 'demo/photos', '/onnx/': folders.onnx, '/': folders.page },
      },
      headers: ISOLATED,
    });
    const page = await browser.newPage();
    try {
      await page.goto(`${server.origin}/index.html#${row.id}`);
      await page.waitForFunction(() => 'bench' in window);
      const photos = PHOTOS[row.task].map((file) => `/photos/${file}`);
      const start = await withTimeout(
        page.evaluate((files) => (Reflect.get(window, 'bench') as BenchPage).start(files), photos),
      );
      return new RowSession(row, start, page, server);
    } catch (error) {
      await page.close();
      await server.close();
      throw error;
    }
  }

  /** A turn on the round's photo; slow rows rest in later rounds. */
  async takeTurn(round: number, turnMs: number): Promise<void> {
    const slow = (this.#rounds[0]?.firstMs ?? 0) > SLOW_CALL_MS;
    if (slow && round >= ROUNDS_OF_SLOW_ROWS) {
      this.#rounds[round] = undefined;
      return;
    }
    const photo = round % PHOTOS[this.row.task].length;
    this.#rounds[round] = await this.#page.evaluate(
      ([of, ms]) => (Reflect.get(window, 'bench') as BenchPage).turn(of, ms),
      [photo, turnMs] as const,
    );
  }

  /** Runs frames, fewer where they are slow, then reads the rest. */
  async finish(frameCount: number): Promise<Contestant> {
    const slow = (this.#rounds[0]?.firstMs ?? 0) > SLOW_CALL_MS;
    const frames = slow ? 1 : frameCount;
    const cdp = await this.#page.context().newCDPSession(this.#page);
    await cdp.send('Performance.enable');
    const before = await busyMs(cdp);
    await this.#page.evaluate(
      (count) => (Reflect.get(window, 'bench') as BenchPage).frames(count),
      frames,
    );
    const mainThreadMs = ((await busyMs(cdp)) - before) / frames;
    const bytes = await this.#page.evaluate(() =>
      (Reflect.get(window, 'bench') as BenchPage).memory(),
    );
    return {
      ...{ row: this.row, start: this.start, rounds: this.#rounds },
      download: await downloadOf(this.#server.requests),
      ...{ mainThreadMs, memory: { frames, bytes } },
    };
  }

  async close(): Promise<void> {
    await this.#page.close();
    await this.#server.close();
  }
}

/** Time that the main thread has spent in tasks so far, milliseconds. */
async function busyMs(cdp: CDPSession): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN) * 1000;
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not ready after ${START_TIMEOUT_MS / 1000} s`));
    }, START_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
