/**
 * Compiles the WASM modules, src/engine/wasm/build/{simd128,relaxed}{,_threads}.wasm, from AssemblyScript; those for threads
 * are the same code over a shared memory. Does nothing when they are newer than every source and the compiler's options, so that
 * dev and test commands can call it each time.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = 'src/engine/wasm/assembly';
const target = 'src/engine/wasm/build';
const compiler = 'node_modules/assemblyscript/bin/asc.js';

/** @param {string} file relative to the root; 0 if it does not exist */
async function modifiedMs(file) {
  try {
    return (await stat(path.join(root, file))).mtimeMs;
  } catch {
    return 0;
  }
}

const inputs = [
  ...(await readdir(path.join(root, sources))).map((name) => `${sources}/${name}`),
  'scripts/build_wasm.mjs',
  'node_modules/assemblyscript/package.json',
];
const newest = Math.max(...(await Promise.all(inputs.map(modifiedMs))));

await mkdir(path.join(root, target), { recursive: true });
for (const name of ['simd128', 'relaxed', 'simd128_threads', 'relaxed_threads']) {
  const output = `${target}/${name}.wasm`;
  if ((await modifiedMs(output)) > newest) continue;
  // The command, not the compiler's module: that one's types redeclare global ones.
  const { status } = spawnSync(
    process.execPath,
    [
      compiler,
      `${sources}/${name.replace('_threads', '')}.ts`,
      '--config',
      `${sources}/asconfig.json`,
      '--target',
      name,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) {
    console.error(`${output} was not built`);
    process.exit(1);
  }
  console.log(`built ${output}`);
}
