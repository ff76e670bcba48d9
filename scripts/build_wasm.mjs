/**
 * Compiles the two WASM modules, src/engine/wasm/build/{simd128,relaxed}.wasm, from AssemblyScript. Does nothing when they
 * are newer than every source and the compiler's options, so that dev and test commands can call it each time.
 */
import asc from 'assemblyscript/asc';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = 'src/engine/wasm/assembly';
const target = 'src/engine/wasm/build';

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
for (const variant of ['simd128', 'relaxed']) {
  const output = `${target}/${variant}.wasm`;
  if ((await modifiedMs(output)) > newest) continue;
  const { error, stderr } = await asc.main([
    `${sources}/${variant}.ts`,
    ...['--baseDir', root, '--config', `${sources}/asconfig.json`, '--target', variant],
  ]);
  process.stderr.write(stderr.toString());
  if (error) {
    console.error(`${output} was not built: ${error.message}`);
    process.exit(1);
  }
  console.log(`built ${output}`);
}
