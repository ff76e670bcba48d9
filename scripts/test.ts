/**
 * `npm test`: all that must hold, in the order in which failures are cheapest to find. Counts each check and each test
 * and ends with the line `N passed, N failed`; test-results/summary.json holds the same numbers.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { runStep } from './steps';

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const RESULTS = 'test-results';
const PROJECTS = ['unit', 'browser', 'e2e'] as const;
const node = process.execPath;

/** A step counts as one test. */
function count(passed: boolean): Counts {
  return passed ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** One Vitest project; a run that dies before or after its tests counts as one failure more. */
function runProject(project: (typeof PROJECTS)[number]): Counts {
  const file = `${RESULTS}/${project}.json`;
  const passed = runStep({
    name: `${project} tests`,
    command: [
      ...(['vitest', 'run', '--project', project] as const),
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
    ],
  });
  let report: { numPassedTests: number; numFailedTests: number };
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as typeof report;
  } catch (error) {
    console.error(`${file} cannot be read: ${String(error)}`);
    return count(false);
  }
  const { numPassedTests, numFailedTests } = report;
  const hidden = !passed && numFailedTests === 0 ? 1 : 0;
  return { passed: numPassedTests, failed: numFailedTests + hidden };
}

rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
const counts = [
  count(runStep({ name: 'browser present', command: [node, 'scripts/ensure_chromium.mjs'] })),
  count(runStep({ name: 'WASM build', command: ['npm', 'run', '--silent', 'build:wasm'] })),
  count(runStep({ name: 'check', command: [node, 'scripts/run.mjs', 'scripts/check.ts'] })),
  ...PROJECTS.map(runProject),
];
const total = counts.reduce((sum, { passed, failed }) => ({
  passed: sum.passed + passed,
  failed: sum.failed + failed,
}));
writeFileSync(`${RESULTS}/summary.json`, `${JSON.stringify(total)}\n`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
