/** Who is measured when: a row that fails, or says nothing, costs the others nothing. */
import { expect, test } from 'vitest';
import type { Contestant } from '../../bench/measurement';
import { ROWS, type Row } from '../../bench/rows';
import { takeTurns, type Player, type Standing, type Step } from '../../bench/turns';

const rows = ROWS.slice(0, 3);
const ids = rows.map(({ id }) => id);
const OPTIONS = { rounds: 3, turnMs: 1, limitMs: 50, memoryFrames: 10, memoryMs: 1 };

class FakePlayer implements Player {
  readonly log: string[];
  readonly row: Row;
  turns = 0;
  frames = 0;

  constructor(row: Row, log: string[]) {
    this.row = row;
    this.log = log;
  }
  start(): Promise<void> {
    return Promise.resolve();
  }
  weigh(): Promise<void> {
    return Promise.resolve();
  }
  takeTurn(round: number): Promise<void> {
    this.log.push(`${round} ${this.row.id}`);
    this.turns += 1;
    return Promise.resolve();
  }
  runFrames(count: number): Promise<void> {
    this.frames += count;
    return Promise.resolve();
  }
  result(): Contestant {
    const turn = { network: [], frame: [1], firstMs: 1, found: null };
    return {
      row: this.row,
      start: { description: '', coldStartMs: 1, multiplyAdds: 1, kernels: [], heatmaps: null },
      rounds: Array.from({ length: this.turns }, () => turn),
      download: { rawBytes: 1, brotliBytes: 1 },
      mainThreadMs: this.frames === 0 ? null : 1,
      memory: null,
    };
  }
  close(): Promise<void> {
    this.log.push(`close ${this.row.id}`);
    return Promise.resolve();
  }
}

/** Runs three rows, the middle one with the given methods. */
async function play(
  changes: Partial<Player>,
  options = OPTIONS,
): Promise<{ end: Standing; steps: (Standing & { step: Step })[]; log: string[] }> {
  const [log, steps]: [string[], (Standing & { step: Step })[]] = [[], []];
  const open = (row: Row): Promise<Player> =>
    Promise.resolve(Object.assign(new FakePlayer(row, log), row === rows[1] ? changes : {}));
  const end = await takeTurns(rows, open, options, (standing, step) => {
    steps.push({ ...standing, step });
  });
  return { end, steps, log };
}

const idsOf = ({ contestants }: Standing): string[] => contestants.map(({ row }) => row.id);

test('each row begins a round once, and runs its frames at the end', async () => {
  const { end, steps, log } = await play({});
  const [a = '', b = '', c = ''] = ids;
  expect(log.slice(0, 9).map((entry) => entry.split(' ')[1])).toEqual([
    ...[a, b, c],
    ...[b, c, a],
    ...[c, a, b],
  ]);
  expect(idsOf(end)).toEqual(ids);
  expect(end.contestants.map(({ mainThreadMs }) => mainThreadMs)).toEqual([1, 1, 1]);
  expect(log.slice(9)).toEqual(ids.map((id) => `close ${id}`));
  // What is kept on the way.
  const kept = steps.map(({ step, contestants }) => [
    step,
    contestants[0]?.rounds.length,
    contestants.filter(({ mainThreadMs }) => mainThreadMs !== null).length,
  ]);
  expect(kept).toEqual([
    ['start', 0, 0],
    ...[1, 2, 3].map((rounds) => ['round', rounds, 0]),
    ...[1, 2, 3].map((done) => ['frames', 3, done]),
  ]);
});

test('no frames are run where none are asked for', async () => {
  const { end } = await play({}, { ...OPTIONS, memoryFrames: 0 });
  expect(end.contestants.map(({ mainThreadMs }) => mainThreadMs)).toEqual([null, null, null]);
});

const dies = (): Promise<void> => Promise.reject(new Error('the page died\nand more'));
const hangs = (): Promise<void> => new Promise(() => undefined);

test.each([
  ['start', { start: dies }, 'the page died'],
  ['start', { start: hangs }, 'no answer within 0.05 s'],
  ['turn', { takeTurn: dies }, 'the page died'],
  ['turn', { takeTurn: hangs }, 'no answer within 0.051 s'],
] as const)('a row that fails in its %s is left out', async (step, changes, reason) => {
  const { end, log } = await play(changes);
  const [first = '', failed = '', last = ''] = ids;
  expect(end.failures).toEqual([{ row: failed, step, reason }]);
  expect(idsOf(end)).toEqual([first, last]);
  expect(end.contestants.map(({ rounds }) => rounds.length)).toEqual([3, 3]);
  expect(log.filter((entry) => entry === `close ${failed}`)).toHaveLength(1);
});

test.each([
  ['the page died', { runFrames: dies }],
  ['no answer within 0.051 s', { runFrames: hangs }],
])('a row that fails while it runs its frames keeps its times: %s', async (reason, changes) => {
  const { end } = await play(changes);
  expect(end.failures).toEqual([{ row: ids[1], step: 'frames', reason }]);
  expect(idsOf(end)).toEqual(ids);
  expect(end.contestants.map(({ mainThreadMs }) => mainThreadMs)).toEqual([1, null, 1]);
});

test('a row that fails late does not take the turns of others that round', async () => {
  let calls = 0;
  const { log } = await play({
    takeTurn: () => {
      calls += 1;
      return calls === 2 ? dies() : Promise.resolve();
    },
  });
  const turnsOf = (id: string | undefined): number =>
    log.filter((entry) => /^\d/.test(entry) && entry.endsWith(` ${id ?? ''}`)).length;
  expect([turnsOf(ids[0]), turnsOf(ids[2])]).toEqual([3, 3]);
});
