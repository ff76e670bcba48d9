/**
 * Makes sure that the browser the tests drive is there: `node scripts/ensure_chromium.mjs`. On Debian and its relatives it
 * is installed with apt-get; elsewhere the message says what to do. Never downloads a browser from anywhere else.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { findChromium, requireChromium } from './chromium.mjs';

/** @param {string} command @param {readonly string[]} args */
function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Runs a command with its output shown; throws when it fails.
 * @param {string} command @param {readonly string[]} args */
function run(command, args) {
  console.log(`$ ${[command, ...args].join(' ')}`);
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} failed: ${error?.message ?? `exit status ${status ?? 'none'}`}`,
    );
  }
}

function install() {
  if (process.platform !== 'linux' || !succeeds('apt-get', ['--version'])) return;
  const isRoot = process.getuid?.() === 0;
  const prefix = isRoot ? [] : ['sudo', '-n'];
  if (!isRoot && !succeeds('sudo', ['-n', 'true'])) return;
  for (const args of [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium', 'libvulkan1'],
  ]) {
    const [command = '', ...rest] = [...prefix, ...args];
    run(command, rest);
  }
}

try {
  if (findChromium() === undefined) install();
  const file = requireChromium();
  const version = spawnSync(file, ['--version', '--no-sandbox'], { encoding: 'utf8' });
  if (version.status !== 0) {
    throw new Error(`${file} does not start: ${version.error?.message ?? version.stderr}`);
  }
  console.log(`${file}: ${version.stdout.trim()}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
