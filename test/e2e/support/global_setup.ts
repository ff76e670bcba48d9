/**
 * Builds the pages of the end-to-end tests once per run: the demo, and a page with the SDK alone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the built demo. */
    readonly demoFolder: string;
    /** Folder of the built page with the SDK alone. */
    readonly sdkFolder: string;
  }
}

export async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bitmarks-pages-'));
  const demoFolder = path.join(folder, 'demo');
  const sdkFolder = path.join(folder, 'sdk');
  await build({ root: 'demo', logLevel: 'error', build: { outDir: demoFolder } });
  await build({
    root: 'test/e2e/page',
    configFile: false,
    logLevel: 'error',
    base: './',
    assetsInclude: ['**/*.bitmarks'],
    worker: { format: 'es' },
    build: { outDir: sdkFolder, target: 'es2022', assetsInlineLimit: 0 },
  });
  project.provide('demoFolder', demoFolder);
  project.provide('sdkFolder', sdkFolder);
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}
