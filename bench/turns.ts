/**
 * Who is measured when: rows start, take turns in rounds, and run their frames, each within a limit of time. A row that fails is
 * noted and left out, the others go on. Knows neither browsers nor files.
 */
import type { BenchOptions, Contestant, Failure } from './measurement';
import type { Row } from './rows';

/** A row with a page of its own. */
export interface Player {
  /** Rejects with what keeps the row from running. */
  start(): Promise<void>;
  /** Compresses what the start downloaded, which may take minutes. */
  weigh(): Promise<void>;
  /** A turn of about `turnMs`; the row may rest. */
  takeTurn(round: number, turnMs: number): Promise<void>;
  /** Runs up to so many frames, for up to so long, and reads main thread and memory. */
  runFrames(count: number, forMs: number): Promise<void>;
  /** What is measured so far. */
  result(): Contestant;
  close(): Promise<void>;
}

export interface Standing {
  readonly contestants: readonly Contestant[];
  readonly failures: readonly Failure[];
}

/** A row that does not even close is left to the end of the browser. */
const CLOSE_LIMIT_MS = 5_000;

/** What was done last. */
export type Step = 'start' | 'round' | 'frames';

/** `afterStep` gets what there is after all starts, after each round, and after the frames of each row. */
export async function takeTurns(
  rows: readonly Row[],
  open: (row: Row) => Promise<Player>,
  options: BenchOptions,
  afterStep: (standing: Standing, step: Step) => void,
): Promise<Standing> {
  const { rounds, turnMs, limitMs, memoryFrames, memoryMs } = options;
  const failures: Failure[] = [];
  /** False when it failed. */
  const attempt = async (
    row: Row,
    step: Failure['step'],
    mostMs: number,
    work: () => Promise<void>,
  ): Promise<boolean> => {
    try {
      await within(mostMs, work());
      return true;
    } catch (error) {
      const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
      failures.push({ row: row.id, step, reason });
      return false;
    }
  };

  const playing = new Map<Row, Player>();
  for (const row of rows) {
    const opened: Player[] = [];
    const isReady = await attempt(row, 'start', limitMs, async () => {
      const player = await open(row);
      opened.push(player);
      await player.start();
    });
    for (const player of opened) {
      if (!isReady) await close(player);
      else {
        await player.weigh();
        playing.set(row, player);
      }
    }
  }
  const finished: Contestant[] = [];
  const standing = (): Standing => ({
    contestants: [...finished, ...[...playing.values()].map((player) => player.result())],
    failures: [...failures],
  });
  afterStep(standing(), 'start');
  for (let round = 0; round < rounds; round += 1) {
    const order = [...playing];
    for (let turn = 0; turn < order.length; turn += 1) {
      // Each row begins a round as often as any other.
      const next = order[(round + turn) % order.length];
      if (next === undefined) continue;
      const [row, player] = next;
      const work = (): Promise<void> => player.takeTurn(round, turnMs);
      if (await attempt(row, 'turn', turnMs + limitMs, work)) continue;
      playing.delete(row);
      await close(player);
    }
    afterStep(standing(), 'round');
  }
  for (const [row, player] of playing) {
    if (memoryFrames > 0) {
      const work = (): Promise<void> => player.runFrames(memoryFrames, memoryMs);
      await attempt(row, 'frames', memoryMs + limitMs, work);
    }
    playing.delete(row);
    finished.push(player.result());
    await close(player);
    afterStep(standing(), 'frames');
  }
  return standing();
}

async function close(player: Player): Promise<void> {
  await within(CLOSE_LIMIT_MS, player.close()).catch(() => undefined);
}

/** Rejects when the work takes longer. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${limitMs / 1000} s`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
