/**
 * The WASM engine in Node: the SIMD128 variant on every case, the relaxed one where this Node computes it rightly, and the
 * choice between them. Chromium runs both (test/browser/wasm_backend.test.ts).
 */
import { describe, expect, it } from 'vitest';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import { compileModule } from '../../src/engine/wasm/module_loader';
import { probeVariants, type ProbeEngine } from '../../src/engine/wasm/variant';
import {
  chooseVariant,
  createWasmBackend,
  createWasmBackendWith,
  type WasmBackend,
} from '../../src/engine/wasm/wasm_backend';
import { defineWasmSuite } from '../helpers/wasm_suite';

const options = { wasmUrls: WASM_FILE_URLS };

defineWasmSuite({ variant: 'simd128', fusedDot: false }, loadModuleFile, WASM_FILE_URLS);
defineWasmSuite(
  { variant: 'simd128', fusedDot: false, b1: 'simd128_lut' },
  loadModuleFile,
  WASM_FILE_URLS,
);
if (probeVariants().relaxed === null) {
  for (const fusedDot of [false, true]) {
    defineWasmSuite({ variant: 'relaxed', fusedDot }, loadModuleFile, WASM_FILE_URLS);
  }
}

/** An engine of which the answers are known. */
function engine(valid: readonly boolean[], results: readonly unknown[]): ProbeEngine {
  const queue = { valid: [...valid], results: [...results] };
  return {
    validate: () => queue.valid.shift() ?? false,
    run: () => queue.results.shift(),
  };
}

describe('variant', () => {
  it('finds SIMD128 in this Node', () => {
    expect(probeVariants().simd128).toBeNull();
  });

  it('takes relaxed where both are computed rightly', () => {
    const report = probeVariants(engine([true, true, true], [1, 1, 0]));
    expect(report).toEqual({ simd128: null, relaxed: null, fusedDot: false });
    expect(chooseVariant(report)).toBe('relaxed');
    expect(chooseVariant(report, 'simd128')).toBe('simd128');
  });

  it('finds a fused dot product', () => {
    expect(probeVariants(engine([true, true, true], [1, 1, 1])).fusedDot).toBe(true);
  });

  it('falls back to simd128 where relaxed is missing', () => {
    const report = probeVariants(engine([true, false], [1]));
    expect(chooseVariant(report)).toBe('simd128');
    expect(report.relaxed).toMatch(/no relaxed/);
  });

  it('falls back to simd128 where relaxed dot products are wrong', () => {
    const report = probeVariants(engine([true, true], [1, 0]));
    expect(chooseVariant(report)).toBe('simd128');
    expect(report.relaxed).toMatch(/wrongly/);
  });

  it('refuses a forced variant that cannot run', () => {
    const report = probeVariants(engine([true, true], [1, 0]));
    expect(() => chooseVariant(report, 'relaxed')).toThrow(
      expect.objectContaining({ code: 'backend/unavailable' }) as Error,
    );
  });

  it.each([
    ['validation fails', engine([false], [])],
    [
      'the probe throws',
      {
        validate: () => {
          throw new Error('no WebAssembly');
        },
        run: () => 1,
      },
    ],
  ] as const)('refuses engines without SIMD: %s', async (_, without) => {
    const creating = createWasmBackendWith(loadModuleFile, options, probeVariants(without));
    await expect(creating).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringMatching(/SIMD/) as string,
    });
  });
});

describe('modules', () => {
  const load = (urls: { simd128: string; relaxed: string }): Promise<WasmBackend> =>
    createWasmBackendWith(loadModuleFile, { wasmUrls: urls, wasmVariant: 'simd128' });

  it('says which file is missing', async () => {
    const missing = WASM_FILE_URLS.simd128.replace('simd128', 'none');
    await expect(load({ ...WASM_FILE_URLS, simd128: missing })).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('none.wasm') as string,
    });
  });

  it('says that bytes are not a module', async () => {
    await expect(compileModule(new Uint8Array(9), 'here')).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('here') as string,
    });
  });

  it('says what it runs on', async () => {
    const backend = await createWasmBackendWith(loadModuleFile, {
      ...options,
      wasmVariant: 'simd128',
    });
    expect(backend.device).toBe('WASM simd128');
    backend.close();
  });

  it('refuses a module of another release', async () => {
    const empty = await WebAssembly.compile(
      Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00),
    );
    const creating = createWasmBackendWith(() => Promise.resolve(empty), options);
    await expect(creating).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('another release') as string,
    });
  });

  it('says when a download fails', async () => {
    const urls = { simd128: 'http://127.0.0.1:9/a.wasm', relaxed: 'http://127.0.0.1:9/b.wasm' };
    await expect(createWasmBackend({ wasmUrls: urls })).rejects.toMatchObject({
      code: 'backend/unavailable',
      message: expect.stringContaining('.wasm') as string,
    });
  });
});
