/**
 * What a page and its workers hold in their JavaScript heaps after a garbage collection, over the DevTools protocol.
 */
import type { CDPSession, Page } from 'playwright-core';

export interface HeapReport {
  /** What was measured: 'page' and 'worker' for each worker. */
  readonly threads: readonly string[];
  /** Objects, over all threads. */
  readonly usedBytes: number;
  /** Array buffers and other memory outside the heap that objects keep, over all threads. */
  readonly backingBytes: number;
}

interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
}

type Send = (method: string) => Promise<unknown>;

/** Collects garbage in all threads and sums up what is left. */
export async function heapBytes(page: Page): Promise<HeapReport> {
  const session = await page.context().newCDPSession(page);
  try {
    const workers = await attachWorkers(session);
    const threads: [string, Send][] = [
      ['page', (method) => session.send(method as 'HeapProfiler.collectGarbage')],
      ...workers.map((send): [string, Send] => ['worker', send]),
    ];
    let usedBytes = 0;
    let backingBytes = 0;
    for (const [, send] of threads) {
      await send('HeapProfiler.collectGarbage');
      const usage = (await send('Runtime.getHeapUsage')) as HeapUsage;
      usedBytes += usage.usedSize;
      backingBytes += (usage.embedderHeapUsedSize ?? 0) + (usage.backingStorageSize ?? 0);
    }
    return { threads: threads.map(([name]) => name), usedBytes, backingBytes };
  } finally {
    await session.detach();
  }
}

/** Functions that send commands to the page's workers: their messages travel inside those of the page's session. */
async function attachWorkers(session: CDPSession): Promise<Send[]> {
  const sessionIds: string[] = [];
  const pending = new Map<string, (result: unknown) => void>();
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') sessionIds.push(sessionId);
  });
  session.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
    const { id, result } = JSON.parse(message) as { id?: number; result?: unknown };
    pending.get(`${sessionId}/${String(id)}`)?.(result);
  });
  await session.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  let lastId = 0;
  return sessionIds.map((sessionId) => async (method) => {
    lastId += 1;
    const id = lastId;
    const answer = new Promise<unknown>((resolve) => {
      pending.set(`${sessionId}/${id}`, resolve);
    });
    await session.send('Target.sendMessageToTarget', {
      sessionId,
      message: JSON.stringify({ id, method }),
    });
    return answer;
  });
}
