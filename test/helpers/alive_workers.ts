/**
 * Which workers a page has started and not ended; after each test there must be none. For tests in browsers.
 */
import { afterEach, beforeEach, expect } from 'vitest';

/** Workers that were started and are not ended. */
export function watchWorkers(): ReadonlySet<Worker> {
  const alive = new Set<Worker>();
  const RealWorker = globalThis.Worker;
  beforeEach(() => {
    globalThis.Worker = class extends RealWorker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        alive.add(this);
      }
      override terminate(): void {
        alive.delete(this);
        super.terminate();
      }
    };
  });
  afterEach(() => {
    globalThis.Worker = RealWorker;
    for (const worker of alive) worker.terminate();
    expect(alive.size).toBe(0);
  });
  return alive;
}
