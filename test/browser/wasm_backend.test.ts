/**
 * The WASM engine in Chromium: both variants on every case, with the kernels each promises, loaded by fetch as on a page.
 */
import { describe, expect, it } from 'vitest';
import { probeVariants } from '../../src/engine/wasm/variant';
import { createWasmBackend, WasmBackend } from '../../src/engine/wasm/wasm_backend';
import { fetchModule } from '../../src/engine/wasm/module_loader';
import relaxed from '../../src/engine/wasm/build/relaxed.wasm?url&no-inline';
import simd128 from '../../src/engine/wasm/build/simd128.wasm?url&no-inline';
import { defineWasmSuite } from '../helpers/wasm_suite';

const wasmUrls = {
  simd128: new URL(simd128, location.href).href,
  relaxed: new URL(relaxed, location.href).href,
};

// Chromium has both; a missing one is a failure, not a reason to skip. The kernels for fused dot products are exact on every
// machine, so they are tested on every machine.
defineWasmSuite({ variant: 'relaxed', fusedDot: false }, fetchModule, wasmUrls);
defineWasmSuite({ variant: 'relaxed', fusedDot: true }, fetchModule, wasmUrls);
defineWasmSuite({ variant: 'simd128', fusedDot: false }, fetchModule, wasmUrls);

describe('variant in Chromium', () => {
  it('computes relaxed dot products rightly, so relaxed is the default', async () => {
    expect(probeVariants()).toMatchObject({ simd128: null, relaxed: null });
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
