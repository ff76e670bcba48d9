/**
 * Runs command-line tools one after the other and says how each went. Shared by check.ts and test.ts.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';

export interface Step {
  readonly name: string;
  /** A tool of node_modules/.bin or a program, and its arguments. */
  readonly command: readonly [string, ...string[]];
}

/** Runs one step with its output shown; true if it exits with 0. */
export function runStep({ name, command }: Step): boolean {
  const startMs = performance.now();
  console.log(`\n--- ${name}: ${command.join(' ')}`);
  const [program, ...args] = command;
  const { status, error } = spawnSync(program, args, {
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: [path.resolve('node_modules/.bin'), process.env['PATH'] ?? ''].join(path.delimiter),
    },
  });
  if (error !== undefined) console.error(error.message);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`--- ${name} ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s`);
  return status === 0;
}

/** Runs all steps, also after a failure, and returns the names of those that failed. */
export function runSteps(steps: readonly Step[]): string[] {
  return steps.filter((step) => !runStep(step)).map(({ name }) => name);
}
