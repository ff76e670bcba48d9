/**
 * One row in a browser page of its own, served by a server of its own: start, turns, frames.
 */
import type { Browser, CDPSession, Page } from 'playwright-core';
import { serve, type Server } from '../test/helpers/serve';
import { downloadOf } from './downloads';
import type { Bytes, Contestant, MemoryUse, Start, Turn } from './measurement';
import type { BenchPage } from './page/main';
import type { Row, Task } from './rows';
import type { Player } from './turns';

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

export class RowSession implements Player {
  readonly #row: Row;
  readonly #page: Page;
  readonly #server: Server;
  readonly #rounds: (Turn | undefined)[] = [];
  #start: Start | undefined;
  #download: Bytes = { rawBytes: 0, brotliBytes: 0 };
  #mainThreadMs: number | null = null;
  #memory: MemoryUse | null = null;

  private constructor(row: Row, page: Page, server: Server) {
    this.#row = row;
    this.#page = page;
    this.#server = server;
  }

  /** An empty page. `folders`: of the built page, and of the ONNX files. */
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
    return new RowSession(row, await browser.newPage(), server);
  }

  async start(): Promise<void> {
    const page = this.#page;
    // Limits of time are the caller's.
    page.setDefaultTimeout(0);
    await page.goto(`${this.#server.origin}/index.html#${this.#row.id}`);
    await page.waitForFunction(() => 'bench' in window);
    const photos = PHOTOS[this.#row.task].map((file) => `/photos/${file}`);
    this.#start = await page.evaluate(
      (files) => (Reflect.get(window, 'bench') as BenchPage).start(files),
      photos,
    );
  }

  async weigh(): Promise<void> {
    this.#download = await downloadOf(this.#server.requests);
  }

  /** On the round's photo; slow rows rest in later rounds. */
  async takeTurn(round: number, turnMs: number): Promise<void> {
    const slow = (this.#rounds[0]?.firstMs ?? 0) > SLOW_CALL_MS;
    if (slow && round >= ROUNDS_OF_SLOW_ROWS) {
      this.#rounds[round] = undefined;
      return;
    }
    const photo = round % PHOTOS[this.#row.task].length;
    this.#rounds[round] = await this.#page.evaluate(
      ([of, ms]) => (Reflect.get(window, 'bench') as BenchPage).turn(of, ms),
      [photo, turnMs] as const,
    );
  }

  async runFrames(count: number, forMs: number): Promise<void> {
    const beforeBytes = await this.#memoryBytes();
    const cdp = await this.#page.context().newCDPSession(this.#page);
    await cdp.send('Performance.enable');
    const busyBeforeMs = await busyMs(cdp);
    const frames = await this.#page.evaluate(
      ([most, ms]) => (Reflect.get(window, 'bench') as BenchPage).frames(most, ms),
      [count, forMs] as const,
    );
    this.#mainThreadMs = ((await busyMs(cdp)) - busyBeforeMs) / frames;
    this.#memory = { beforeBytes, frames, afterBytes: await this.#memoryBytes() };
  }

  result(): Contestant {
    if (this.#start === undefined) throw new Error(`${this.#row.id} was not started`);
    return {
      ...{ row: this.#row, start: this.#start, rounds: [...this.#rounds] },
      ...{ download: this.#download, mainThreadMs: this.#mainThreadMs, memory: this.#memory },
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#page.close(), this.#server.close()]);
  }

  #memoryBytes(): Promise<number | null> {
    return this.#page.evaluate(() => (Reflect.get(window, 'bench') as BenchPage).memory());
  }
}

/** Time that the main thread has spent in tasks so far, milliseconds. */
async function busyMs(cdp: CDPSession): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN) * 1000;
}
