/**
 * Where Chromium is on this machine and the flags with which tests launch it. Starts nothing.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const CANDIDATES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** For every launch: quiet, and able to run as root in a container. */
export const COMMON_FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * WebGPU on SwiftShader with canvases and external images working. Each flag is needed: without any one of them the GPU
 * process dies on the first external image. Leave all of them out to test a machine without a GPU adapter.
 */
export const GPU_FLAGS = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
];

/** Lets a page collect its garbage and read how large its heap is (test/helpers/heap_growth.ts). */
export const HEAP_FLAGS = ['--js-flags=--expose-gc', '--enable-precise-memory-info'];

/** Path of the browser: BITMARKS_CHROMIUM if set, else the first known place that exists, else undefined. */
export function findChromium() {
  const chosen = process.env['BITMARKS_CHROMIUM'];
  if (chosen !== undefined && chosen !== '') return chosen;
  return CANDIDATES.find((file) => existsSync(file));
}

/** Path of the browser; throws with what to do when there is none. */
export function requireChromium() {
  const file = findChromium();
  if (file === undefined || !existsSync(file)) {
    throw new Error(
      `no Chromium found at ${file ?? CANDIDATES.join(', ')}; install it (Debian: apt-get install chromium) ` +
        'or set BITMARKS_CHROMIUM to the path of its executable',
    );
  }
  return file;
}

/**
 * Environment that lets Dawn in Node (npm package webgpu) use the SwiftShader that comes with Chromium.
 *
 * @returns {Record<string, string>}
 */
export function swiftShaderEnv() {
  const icd = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome']
    .map((folder) => path.join(folder, 'vk_swiftshader_icd.json'))
    .find((file) => existsSync(file));
  // The loader of Vulkan that lies beside Chromium serves where the system has none.
  const systemLoader = [
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
    '/usr/lib64',
  ].some((folder) => existsSync(path.join(folder, 'libvulkan.so.1')));
  return {
    ...(icd === undefined ? {} : { VK_ICD_FILENAMES: icd }),
    ...(icd === undefined || systemLoader ? {} : { LD_LIBRARY_PATH: path.dirname(icd) }),
    // The loader prints a warning when this is not set.
    XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? '/tmp',
  };
}
