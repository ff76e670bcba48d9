/**
 * The calls of a frame as numbers, one list for each thread, and the loop that runs such a list. Lists lie in memory that
 * threads share, so they hold no functions, only which one to call. Knows no plans.
 *
 *   instruction: [index of the function, BARRIER or END, MAX_PARAMETERS parameters], 32 bits each
 */
import { BitmarksError } from '../../errors';
import { MAX_PARAMETERS, type KernelCall } from './kernels/kernel';

const BARRIER = -1;
const END = -2;
const INSTRUCTION_WORDS = 1 + MAX_PARAMETERS;

/** The calls of a step: one list if the first thread makes all of it, else one for each thread. */
export type StepCalls = readonly (readonly KernelCall[])[];

/** A call takes its parameters as numbers and gives nothing. */
export type KernelFunction = (...parameters: readonly number[]) => void;

/**
 * One list for each thread, all of one length. Threads meet after a step that they share and before one, as steps read what others have made;
 * steps of the first thread alone need no meeting between them.
 */
export function encodePrograms(
  steps: readonly StepCalls[],
  threads: number,
  functionNames: readonly string[],
): readonly Int32Array<ArrayBuffer>[] {
  const lists = Array.from({ length: threads }, () => [] as number[]);
  steps.forEach((step, index) => {
    lists.forEach((list, thread) => {
      for (const call of step[thread] ?? []) list.push(...encode(call, functionNames));
      const next = steps[index + 1];
      const meets = step.length > 1 || next === undefined || next.length > 1;
      if (threads > 1 && meets) list.push(BARRIER, ...new Array<number>(MAX_PARAMETERS).fill(0));
    });
  });
  const longest = Math.max(...lists.map(({ length }) => length));
  return lists.map((list) => {
    const program = new Int32Array(longest).fill(END);
    program.set(list);
    return program;
  });
}

function encode({ name, parameters }: KernelCall, functionNames: readonly string[]): number[] {
  const index = functionNames.indexOf(name);
  if (index < 0) throw new BitmarksError('backend/failed', `the WASM module has no ${name}`);
  return [
    index,
    ...Array.from({ length: MAX_PARAMETERS }, (_, position) => parameters[position] ?? 0),
  ];
}

/** Runs a list; `meet` waits for the other threads. */
export function runProgram(
  program: Int32Array,
  functions: readonly KernelFunction[],
  meet: () => void,
): void {
  for (let at = 0; at < program.length; at += INSTRUCTION_WORDS) {
    const index = word(program, at);
    if (index === END) return;
    const run = functions[index];
    if (run === undefined) {
      meet();
      continue;
    }
    // Spelled out, as spreading makes an array for each call. Functions ignore what they have no parameter for.
    run(
      word(program, at + 1),
      word(program, at + 2),
      word(program, at + 3),
      word(program, at + 4),
      word(program, at + 5),
      word(program, at + 6),
      word(program, at + 7),
      word(program, at + 8),
      word(program, at + 9),
      word(program, at + 10),
      word(program, at + 11),
      word(program, at + 12),
      word(program, at + 13),
      word(program, at + 14),
      word(program, at + 15),
    );
  }
}

function word(program: Int32Array, at: number): number {
  return program[at] ?? 0;
}
