/** How many threads the WASM engine takes and why, how rows are shared out, and the lists of calls that threads run. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kernelCall } from '../../src/engine/wasm/kernels/kernel';
import { rowsOf } from '../../src/engine/wasm/kernels/rows';
import { encodePrograms, runProgram } from '../../src/engine/wasm/program';
import { chooseThreads, type ThreadScope } from '../../src/engine/wasm/threads/team';

const urls = { simd128: 'a', relaxed: 'b' };
const options = (count: number | null): Parameters<typeof chooseThreads>[0] => ({
  ...{ urls, helperUrl: 'c', count },
});
const scope: ThreadScope = {
  ...{ crossOriginIsolated: true, Worker: {}, WorkerGlobalScope: {} },
  navigator: { hardwareConcurrency: 8 },
};

describe('chooseThreads', () => {
  it.each([
    ['one for each core, up to 4', null, scope, 4],
    ['one for each core', null, { ...scope, navigator: { hardwareConcurrency: 3 } }, 3],
    ['as many as asked for, on any number of cores', 6, scope, 6],
    ['16 at most', 99, scope, 16],
  ])('takes %s', (_, count, where, threads) => {
    expect(chooseThreads(options(count), where)).toEqual({ threads, reason: null });
  });

  it.each([
    ['the page is not cross-origin isolated', { ...scope, crossOriginIsolated: false }],
    ['the page is not cross-origin isolated', {}],
    ['the engine is not in a worker', { ...scope, WorkerGlobalScope: undefined }],
    ['workers cannot start workers here', { ...scope, Worker: undefined }],
    ['there is one core', { ...scope, navigator: { hardwareConcurrency: 1 } }],
  ])('takes one where %s', (reason, where) => {
    expect(chooseThreads(options(null), where)).toEqual({ threads: 1, reason });
  });

  it('takes one without a reason where one is asked for, or none were offered', () => {
    expect(chooseThreads(options(1), scope)).toEqual({ threads: 1, reason: null });
    expect(chooseThreads(undefined, scope)).toEqual({ threads: 1, reason: null });
  });
});

describe('rowsOf', () => {
  it('gives every row to one thread, in order, and no thread more than one row above its share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 16 }), (height, n) => {
        let next = 0;
        for (let thread = 0; thread < n; thread++) {
          const { first, end } = rowsOf(height, thread, n);
          expect(first).toBe(next);
          expect(end - first).toBeLessThanOrEqual(Math.ceil(height / n));
          next = end;
        }
        expect(next).toBe(height);
      }),
    );
  });
});

describe('programs', () => {
  const call = (address: number): ReturnType<typeof kernelCall> =>
    kernelCall('maxPool2d', address, 2, 3, 4, 5);
  const names = ['crop', 'maxPool2d'];
  /** First parameters of the calls of each thread, 'meet' for a barrier. */
  const traces = (steps: Parameters<typeof encodePrograms>[0], threads: number): unknown[][] =>
    encodePrograms(steps, threads, names).map((program) => {
      const trace: unknown[] = [];
      const pool = (...parameters: readonly number[]): void => {
        expect(parameters.slice(1, 5)).toEqual([2, 3, 4, 5]);
        trace.push(parameters[0]);
      };
      runProgram(program, [() => trace.push('crop'), pool], () => trace.push('meet'));
      return trace;
    });

  it('need no meetings for one thread', () => {
    expect(traces([[[call(1), call(2)]], [[call(3)]]], 1)).toEqual([[1, 2, 3]]);
  });

  it('meet before and after shared steps, between small ones not, and at the end', () => {
    const small = (address: number): ReturnType<typeof call>[][] => [[call(address)]];
    const steps = [small(1), small(2), [[call(3)], [call(4), call(5)]], small(6), small(7)];
    expect(traces(steps, 2)).toEqual([
      [1, 2, 'meet', 3, 'meet', 6, 7, 'meet'],
      ['meet', 4, 5, 'meet', 'meet'],
    ]);
  });

  it('refuse functions that the module does not have', () => {
    expect(() => encodePrograms([[[kernelCall('clearBorder', 1, 2, 3, 4, 5)]]], 1, names)).toThrow(
      expect.objectContaining({ code: 'backend/failed' }) as Error,
    );
  });
});
