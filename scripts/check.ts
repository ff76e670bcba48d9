/**
 * `npm run check`: everything that can be said about the code without running it. All checks run; any failure fails.
 */
import process from 'node:process';
import { runSteps } from './steps';

const node = process.execPath;
const failed = runSteps([
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'types of what ships', command: ['tsc', '-p', 'tsconfig.src.json'] },
  { name: 'lint', command: ['eslint', '.', '--max-warnings', '0'] },
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  {
    name: 'import cycles',
    command: [
      ...(['dpdm', '--transform', '--no-tree', '--no-warning', '--no-progress'] as const),
      ...['--exit-code', 'circular:1', 'src/**/*.ts', 'workers/*.ts', 'demo/**/*.ts'],
    ],
  },
  { name: 'library build', command: [node, 'scripts/run.mjs', 'scripts/build.ts'] },
  { name: 'size budgets', command: ['size-limit'] },
]);
if (failed.length > 0) {
  console.error(`\nfailed: ${failed.join(', ')}`);
  process.exit(1);
}
