/**
 * The browser that the other browser tests count on. If this fails, the launch is wrong, not the code.
 */
import { expect, test } from 'vitest';

test('a WebGPU adapter is present', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter, 'no adapter: check the GPU flags in scripts/chromium.mjs').not.toBeNull();
  expect(adapter?.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
});

test('relaxed SIMD is present', () => {
  // (module (func (param v128 v128 v128) (result v128) i32x4.relaxed_dot_i8x16_i7x16_add_s))
  const bytes = Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0],
    ...[10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 147, 2, 11],
  );
  expect(WebAssembly.validate(bytes)).toBe(true);
});
