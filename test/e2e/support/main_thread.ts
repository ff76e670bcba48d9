/**
 * What keeps a page's main thread busy, from Chromium's own trace. Every task of the renderer's main thread is an event
 * RunTask; script inside one shows as events of its own. Times are CPU time of the thread, so that other programs on the
 * machine do not count. In a page whose only script is the SDK, tasks with script are the SDK's; tasks without are the
 * browser's own (painting, decoding video), part of which the SDK causes by asking for snapshots of the video.
 */
import type { Browser, Page } from 'playwright-core';

export interface MainThreadReport {
  readonly tasks: number;
  /** Longest task that ran script, and the sum of all such, milliseconds of CPU time. */
  readonly longestScriptMs: number;
  readonly totalScriptMs: number;
  /** Longest task without script. */
  readonly longestOtherMs: number;
  /** Longest task of any kind on the clock, other programs included. */
  readonly longestWallMs: number;
  /** The longest tasks, longest first, with the events inside, for people to read. */
  readonly longest: readonly string[];
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds: start and length on the clock, length in CPU time. */
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: {
    readonly name?: string;
    readonly data?: {
      readonly url?: string;
      readonly frames?: readonly { readonly url?: string; readonly processId?: number }[];
    };
  };
}

const CATEGORIES = [
  'devtools.timeline',
  'disabled-by-default-devtools.timeline',
  'v8.execute',
  'toplevel',
];
const TASK = 'RunTask';
/** Events under which the page's script runs. */
const SCRIPT = new Set([
  ...['FunctionCall', 'EvaluateScript', 'RunMicrotasks', 'v8.run', 'v8.callFunction'],
  ...['EventDispatch', 'FireAnimationFrame', 'TimerFire', 'v8.compile'],
]);

/** Traces the page's main thread for `durationMs`. The page must be of the origin `url`. */
export async function traceMainThread(
  browser: Browser,
  page: Page,
  durationMs: number,
): Promise<MainThreadReport> {
  await browser.startTracing(page, { categories: CATEGORIES });
  await page.waitForTimeout(durationMs);
  const trace = await browser.stopTracing();
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  return summarize(traceEvents, new URL(page.url()).origin);
}

function summarize(events: readonly TraceEvent[], origin: string): MainThreadReport {
  const pids = new Set(
    events
      .flatMap(({ args }) => args?.data?.frames ?? [])
      .filter(({ url }) => url?.startsWith(origin) === true)
      .map(({ processId }) => processId),
  );
  const mainThreads = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .filter(({ pid }) => pids.has(pid))
      .map(({ pid, tid }) => `${pid}/${tid}`),
  );
  if (mainThreads.size !== 1) {
    throw new Error(`the trace shows ${mainThreads.size} main threads of ${origin}, expected 1`);
  }
  const own = events
    .filter(({ ph, pid, tid }) => ph === 'X' && mainThreads.has(`${pid}/${tid}`))
    .sort((a, b) => a.ts - b.ts);
  const tasks = own
    .filter(({ name }) => name === TASK)
    .map((task) => ({ task, inside: new Map<string, number>() }));
  let index = 0;
  for (const event of own) {
    if (event.name === TASK) continue;
    while (index + 1 < tasks.length && (tasks[index + 1]?.task.ts ?? Infinity) <= event.ts)
      index += 1;
    const current = tasks[index];
    if (current !== undefined && event.ts < current.task.ts + (current.task.dur ?? 0)) {
      const ms = (event.tdur ?? 0) / 1000;
      current.inside.set(event.name, (current.inside.get(event.name) ?? 0) + ms);
    }
  }
  const measured = tasks.map(({ task, inside }) => ({
    cpuMs: (task.tdur ?? NaN) / 1000,
    wallMs: (task.dur ?? 0) / 1000,
    atMs: (task.ts - (own[0]?.ts ?? 0)) / 1000,
    isScript: [...inside.keys()].some((name) => SCRIPT.has(name)),
    inside,
  }));
  const scriptMs = measured.filter(({ isScript }) => isScript).map(({ cpuMs }) => cpuMs);
  const otherMs = measured.filter(({ isScript }) => !isScript).map(({ cpuMs }) => cpuMs);
  return {
    tasks: measured.length,
    longestScriptMs: Math.max(0, ...scriptMs),
    totalScriptMs: scriptMs.reduce((sum, ms) => sum + ms, 0),
    longestOtherMs: Math.max(0, ...otherMs),
    longestWallMs: Math.max(0, ...measured.map(({ wallMs }) => wallMs)),
    longest: [...measured]
      .sort((a, b) => b.cpuMs - a.cpuMs)
      .slice(0, 5)
      .map(
        ({ cpuMs, wallMs, atMs, inside }) =>
          `${cpuMs.toFixed(2)} ms (${wallMs.toFixed(2)} on the clock) at ${atMs.toFixed(0)} ms: ${describe(inside)}`,
      ),
  };
}

/** The events inside a task that took longest. */
function describe(inside: ReadonlyMap<string, number>): string {
  return [...inside]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
    .join(', ');
}
