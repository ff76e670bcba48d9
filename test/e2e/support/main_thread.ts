/**
 * What the SDK costs a page's main thread, from Chromium's own trace. Every task of the renderer's main thread is an event
 * RunTask; script, messages and garbage collection inside one show as events of their own. In a page whose only script is
 * the SDK these are the SDK's; the rest of a task is the browser's (layout, painting, showing the video). Times are CPU time of the
 * thread, so that other programs on the machine do not count.
 */
import type { Browser, Page } from 'playwright-core';

export interface MainThreadReport {
  readonly tasks: number;
  /** Milliseconds of CPU time that the SDK takes in the task in which it takes most, and in all together. */
  readonly longestSdkMs: number;
  readonly totalSdkMs: number;
  /** Longest task, with what the browser did in it. */
  readonly longestTaskMs: number;
  /** The same on the clock, other programs included. */
  readonly longestWallMs: number;
  /** The tasks in which the SDK takes most, with the events inside, for people to read. */
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
/** Events under which the page's script runs, or something that it causes. One inside another does not count again. */
const SDK = new Set([
  ...['FunctionCall', 'EvaluateScript', 'RunMicrotasks', 'v8.run', 'v8.callFunction', 'v8.compile'],
  ...['HandlePostMessage', 'EventDispatch', 'FireAnimationFrame', 'TimerFire'],
  ...['MinorGC', 'MajorGC'],
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
  const tasks = readTasks(own);
  const sdkMs = tasks.map((task) => task.sdkMs);
  return {
    tasks: tasks.length,
    longestSdkMs: Math.max(0, ...sdkMs),
    totalSdkMs: sdkMs.reduce((sum, ms) => sum + ms, 0),
    longestTaskMs: Math.max(0, ...tasks.map(({ cpuMs }) => cpuMs)),
    longestWallMs: Math.max(0, ...tasks.map(({ wallMs }) => wallMs)),
    longest: [...tasks]
      .sort((a, b) => b.sdkMs - a.sdkMs)
      .slice(0, 5)
      .map(
        ({ cpuMs, wallMs, sdkMs: own, inside }) =>
          `${own.toFixed(2)} of ${cpuMs.toFixed(2)} ms (${wallMs.toFixed(2)} on the clock): ${describe(inside)}`,
      ),
  };
}

interface Task {
  readonly endTs: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  sdkMs: number;
  /** CPU milliseconds by name of event. */
  readonly inside: Map<string, number>;
}

/** `events` are those of one thread in the order in which they begin. */
function readTasks(events: readonly TraceEvent[]): Task[] {
  const tasks: Task[] = [];
  let countedUntilTs = 0;
  for (const { name, ts, dur = 0, tdur = 0 } of events) {
    const cpuMs = tdur / 1000;
    if (name === TASK) {
      const inside = new Map<string, number>();
      tasks.push({ endTs: ts + dur, cpuMs, wallMs: dur / 1000, sdkMs: 0, inside });
      continue;
    }
    const task = tasks.at(-1);
    if (task === undefined || ts >= task.endTs) continue;
    task.inside.set(name, (task.inside.get(name) ?? 0) + cpuMs);
    if (SDK.has(name) && ts >= countedUntilTs) {
      task.sdkMs += cpuMs;
      countedUntilTs = ts + dur;
    }
  }
  return tasks;
}

/** The events inside a task that took longest. */
function describe(inside: ReadonlyMap<string, number>): string {
  return [...inside]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
    .join(', ');
}
