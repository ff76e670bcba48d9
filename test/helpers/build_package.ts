/**
 * Global setup of the end-to-end tests: dist/ is there and not older than what it is built from.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const FOLDERS = ['src', 'workers', 'models'];
const LAST_WRITTEN = 'dist/THIRD_PARTY.txt';

function newestMs(): number {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) =>
      path.join(folder, file),
    ),
  );
  return Math.max(...[...files, 'scripts/build.ts'].map((file) => statSync(file).mtimeMs));
}

export function setup(): void {
  const builtMs = statSync(LAST_WRITTEN, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (newestMs() < builtMs) return;
  execFileSync(process.execPath, ['scripts/run.mjs', 'scripts/build.ts'], { stdio: 'inherit' });
}
