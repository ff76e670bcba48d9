/**
 * `npm run build`: writes dist/, the package as it is published.
 *
 *   bitmarks.js           ESM                      bitmarks.worker.js   the worker: pipeline and WASM engine
 *   bitmarks.global.js    script tag, `bitmarks`   bitmarks.webgpu.js   the WebGPU engine, fetched only where it is tried
 *   bitmarks.d.ts         types                    wasm/*.wasm  models/*.bitmarks  THIRD_PARTY.txt
 *   bitmarks.tfjs.js      `bitmarks/tfjs`, with TensorFlow.js left to the page; and its types
 *
 * Each script file is complete in itself and names the others only as `new URL('file', import.meta.url)` (in the script-tag
 * build: relative to the script). Bundlers of those who install the package copy such files as they are.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { build, type Plugin } from 'vite';

/** Built aside and moved at the end: a failed build leaves the last one, and two at a time do not mix. */
const OUT = `.cache/dist-${process.pid}`;
const WORKER_FILES: Readonly<Record<string, string>> = {
  'landmark.worker': 'bitmarks.worker.js',
  webgpu_engine: 'bitmarks.webgpu.js',
};
const ASSET_FOLDERS: Readonly<Record<string, string>> = { '.wasm': 'wasm', '.bitmarks': 'models' };

/** Notes which npm packages end up in the output, for THIRD_PARTY.txt. */
function notePackages(packages: Set<string>): Plugin {
  return {
    name: 'bitmarks:note-packages',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
          const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
          if (name !== undefined && renderedLength > 0) packages.add(name);
        }
      }
    },
  };
}

function workerFileName(name: string): string {
  const file = WORKER_FILES[name];
  if (file === undefined) {
    throw new Error(`scripts/build.ts has no file name for the worker file '${name}'`);
  }
  return file;
}

function assetFileName(name: string): string {
  const folder = ASSET_FOLDERS[path.extname(name)];
  if (folder === undefined)
    throw new Error(`scripts/build.ts has no folder for the asset '${name}'`);
  return `${folder}/${path.basename(name)}`;
}

async function buildScripts(packages: Set<string>): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'warn',
    base: './',
    publicDir: false,
    assetsInclude: ['**/*.bitmarks'],
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [notePackages(packages)],
    // Absolute only at run time: relative to the file that names it, wherever that lies.
    experimental: {
      renderBuiltUrl: (_, { hostType }) => (hostType === 'js' ? { relative: true } : undefined),
    },
    worker: {
      format: 'es',
      plugins: () => [notePackages(packages)],
      rolldownOptions: {
        checks: { bundlerTimings: false },
        output: {
          codeSplitting: false,
          minify: true,
          entryFileNames: ({ name }) => workerFileName(name),
        },
      },
    },
    build: {
      outDir: OUT,
      emptyOutDir: true,
      target: 'es2022',
      reportCompressedSize: false,
      lib: {
        entry: 'src/index.ts',
        name: 'bitmarks',
        formats: ['es', 'iife'],
        fileName: (format) => (format === 'es' ? 'bitmarks.js' : 'bitmarks.global.js'),
      },
      rolldownOptions: {
        checks: { bundlerTimings: false },
        output: { assetFileNames: ({ names }) => assetFileName(names[0] ?? '') },
      },
    },
  });
}

/** `bitmarks/tfjs`. TensorFlow.js stays an import: tensors belong to the copy that the page has. */
async function buildTfjsEntry(packages: Set<string>): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    plugins: [notePackages(packages)],
    build: {
      outDir: OUT,
      emptyOutDir: false,
      target: 'es2022',
      reportCompressedSize: false,
      lib: { entry: 'src/tfjs.ts', formats: ['es'], fileName: () => 'bitmarks.tfjs.js' },
      rolldownOptions: { external: /^@tensorflow\//, checks: { bundlerTimings: false } },
    },
  });
}

async function buildTypes(entry: string, name: string, footer = ''): Promise<void> {
  const bundle = await rollup({
    input: entry,
    external: /^@tensorflow\//,
    // What is marked @internal names types of packages that those who install this one do not have.
    plugins: [dts({ tsconfig: 'tsconfig.src.json', compilerOptions: { stripInternal: true } })],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await bundle.write({
    file: `${OUT}/${name}.d.ts`,
    format: 'es',
    // Symbol.dispose is in no standard library that people target yet.
    banner: '/// <reference lib="esnext.disposable" />',
    footer,
  });
  await bundle.close();
}

/** Licence texts of the packages whose code is in the output. */
function writeThirdParty(packages: ReadonlySet<string>): void {
  const texts = [...packages].sort().map((name) => {
    const folder = `node_modules/${name}`;
    const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as {
      version: string;
      license: string;
    };
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? '' : readFileSync(`${folder}/${file}`, 'utf8').trim();
    return `${name} ${version} (${license})\n\n${text}`.trim();
  });
  const intro = 'Bitmarks contains code of these packages.';
  writeFileSync(`${OUT}/THIRD_PARTY.txt`, `${[intro, ...texts].join('\n\n---\n\n')}\n`);
}

function requireFiles(): void {
  const missing = [
    ...['bitmarks.js', 'bitmarks.global.js', 'bitmarks.d.ts', 'THIRD_PARTY.txt'],
    ...['bitmarks.tfjs.js', 'bitmarks.tfjs.d.ts'],
    ...Object.values(WORKER_FILES),
  ].filter((file) => !existsSync(`${OUT}/${file}`));
  if (missing.length > 0) throw new Error(`the build did not write ${missing.join(', ')}`);
}

const packages = new Set<string>();
await buildScripts(packages);
await buildTfjsEntry(packages);
// The global is for pages with a script tag.
await buildTypes('src/index.ts', 'bitmarks', 'export as namespace bitmarks;');
await buildTypes('src/tfjs.ts', 'bitmarks.tfjs');
writeThirdParty(packages);
requireFiles();
rmSync('dist', { recursive: true, force: true });
renameSync(OUT, 'dist');
