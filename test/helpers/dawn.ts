/**
 * WebGPU in Node for tests: installs Dawn (npm package webgpu) as navigator.gpu. The Vulkan driver is chosen by the test
 * project's environment (scripts/chromium.mjs). A missing adapter fails the tests that need one; nothing is skipped.
 */
import { create, globals } from 'webgpu';

/**
 * Puts WebGPU's classes and navigator.gpu into this process; idempotent.
 * Throws with what to do when no adapter is offered.
 */
export async function installDawn(): Promise<GPU> {
  const scope = globalThis as { navigator?: { gpu?: GPU } };
  if (scope.navigator?.gpu === undefined) {
    Object.assign(globalThis, globals);
    Object.defineProperty(globalThis, 'navigator', {
      value: { gpu: create([]), userAgent: 'node' },
      configurable: true,
    });
  }
  const gpu = (globalThis as { navigator: { gpu: GPU } }).navigator.gpu;
  if ((await gpu.requestAdapter()) === null) {
    throw new Error(
      'Dawn found no GPU adapter. These tests need the SwiftShader driver of Chromium: install chromium, and see ' +
        'swiftShaderEnv() in scripts/chromium.mjs for where its vk_swiftshader_icd.json is looked for',
    );
  }
  return gpu;
}

/** Takes navigator away again, without which the process would not end. */
export function removeDawn(): void {
  Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
}
