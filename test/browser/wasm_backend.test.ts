/**
 * The WASM engine in Chromium: both variants on every case, with the kernels each promises, loaded by fetch as on a page.
 */
import { describe, expect, it } from 'vitest';
import { probeVariants, type WasmVariant } from '../../src/engine/wasm/variant';
import {
  createWasmBackend,
  createWasmBackendWith,
  WasmBackend,
} from '../../src/engine/wasm/wasm_backend';
import { fetchModule } from '../../src/engine/wasm/module_loader';
import relaxed from '../../src/engine/wasm/build/relaxed.wasm?url&no-inline';
import simd128 from '../../src/engine/wasm/build/simd128.wasm?url&no-inline';
import { defineWasmSuite } from '../helpers/wasm_suite';

const wasmUrls = {
  simd128: new URL(simd128, location.href).href,
  relaxed: new URL(relaxed, location.href).href,
};

const create = (wasmVariant: WasmVariant) => (): Promise<WasmBackend> =>
  createWasmBackendWith(fetchModule, { wasmUrls, wasmVariant });

// Chromium has both; a missing one is a failure, not a reason to skip.
defineWasmSuite('relaxed', create('relaxed'));
defineWasmSuite('simd128', create('simd128'));

describe('variant in Chromium', () => {
  it('computes relaxed dot products rightly, so relaxed is the default', async () => {
    expect(probeVariants()).toEqual({ simd128: null, relaxed: null });
    const backend = await createWasmBackend({ wasmUrls });
    expect(backend).toBeInstanceOf(WasmBackend);
    expect(backend).toMatchObject({ name: 'wasm', variant: 'relaxed' });
    backend.close();
  });

  it('says which module the server does not have', async () => {
    const missing = new URL('/none/relaxed.wasm?x', location.href).href;
    const creating = createWasmBackend({ wasmUrls: { ...wasmUrls, relaxed: missing } });
    await expect(creating).rejects.toMatchObject({ code: 'backend/unavailable' });
  });
});
