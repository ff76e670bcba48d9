/**
 * Runs a TypeScript file of this repository in Node: `node scripts/run.mjs FILE [arguments]`. Vite compiles it, so the
 * shipping sources run as they are. Holds no task of its own.
 */
import path from 'node:path';
import process from 'node:process';
import { runnerImport } from 'vite';

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node scripts/run.mjs FILE [arguments]');
  process.exit(2);
}
const script = path.resolve(file);
process.argv = [process.execPath, script, ...rest];
await runnerImport(script, { configFile: false, logLevel: 'error' });
