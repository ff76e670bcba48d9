/**
 * The test projects, and what dev server and tests share. The library build is scripts/build.ts; the demo has its own
 * configuration.
 */
import { playwright } from '@vitest/browser-playwright';
import process from 'node:process';
import { defineConfig } from 'vitest/config';
import {
  COMMON_FLAGS,
  findChromium,
  GPU_FLAGS,
  HEAP_FLAGS,
  swiftShaderEnv,
} from './scripts/chromium.mjs';

const executablePath = findChromium();
// For the processes that Vitest starts: the dynamic linker reads LD_LIBRARY_PATH only when a process begins.
Object.assign(process.env, swiftShaderEnv());
// Files run two at a time at most: SwiftShader uses every core by itself.
const maxWorkers = Number(process.env['BITMARKS_TEST_WORKERS'] ?? 2);

export default defineConfig({
  worker: { format: 'es' },
  assetsInclude: ['**/*.bitmarks'],
  test: {
    // A missing folder of tests is an error, a forgotten .only too.
    passWithNoTests: false,
    allowOnly: process.env['CI'] === undefined,
    maxWorkers,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        // Found late, they would make Vite reload the page in the middle of a test.
        optimizeDeps: {
          include: [
            '@tensorflow/tfjs-core',
            '@tensorflow/tfjs-backend-cpu',
            '@tensorflow/tfjs-backend-wasm',
            '@tensorflow/tfjs-backend-webgpu',
            '@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu',
          ],
        },
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 120_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                ...(executablePath === undefined ? {} : { executablePath }),
                args: [...COMMON_FLAGS, ...GPU_FLAGS, ...HEAP_FLAGS],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/helpers/build_package.ts', 'test/e2e/support/global_setup.ts'],
          // Each file launches browsers of its own: one at a time.
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
