/** The choice between kernels that compute the same: by name, by measurement, and what is measured in which time. */
import { describe, expect, it } from 'vitest';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import type { BackendOptions } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { MemoryArena } from '../../src/engine/wasm/arena';
import { preferKernels } from '../../src/engine/wasm/tuning';
import type { WasmExports } from '../../src/engine/wasm/kernels/kernel';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { CONV2D_CASES } from '../cases/conv2d';
import { heatmapDifference } from '../helpers/differences';

/** A module whose functions take the milliseconds that `costs` says, on a clock of its own. */
function slowModule(costs: Readonly<Record<string, number>>): {
  exports: WasmExports;
  nowMs: () => number;
} {
  let timeMs = 0;
  const cost = (name: string): (() => void) => {
    return () => {
      timeMs += costs[name] ?? 0;
    };
  };
  const functions = new Proxy({}, { get: (_, name) => cost(String(name)) });
  // Tuning calls functions by name only.
  return {
    exports: { variant: 'relaxed', functions } as unknown as WasmExports,
    nowMs: () => timeMs,
  };
}

const tune = (
  costs: Readonly<Record<string, number>>,
  fusedDot: boolean,
): { names: (string | undefined)[]; tookMs: number; leftBytes: number } => {
  const arena = new MemoryArena(1024, false);
  const { exports, nowMs } = slowModule(costs);
  const prefer = preferKernels('measured', { arena, exports, fusedDot }, nowMs, new Map());
  const names = [prefer('b1', 1)[0], prefer('b1', 3)[0], prefer('i8', 5)[0]];
  return { names, tookMs: nowMs(), leftBytes: arena.usedBytes };
};

describe('measuring', () => {
  const pairs = 'relaxed_pairs';
  const quads = 'relaxed_quads';
  const split = 'relaxed_split_quads';

  it.each([
    ['the faster one', { conv2dPairs: 0.1, conv2dQuads: 0.05, conv2dSplitQuads: 0.2 }, quads],
    ['the faster one', { conv2dPairs: 0.05, conv2dQuads: 0.1, conv2dSplitQuads: 0.2 }, pairs],
  ])('takes %s, whatever was expected: %o', (_, costs, name) => {
    for (const fusedDot of [false, true]) {
      expect(tune(costs, fusedDot).names).toEqual([name, name, quads]);
    }
  });

  it('keeps what is expected to be best where the difference is small', () => {
    const costs = { conv2dPairs: 0.1, conv2dQuads: 0.098, conv2dSplitQuads: 0.1 };
    expect(tune(costs, false).names).toEqual([pairs, pairs, split]);
  });

  it('ends within 50 ms and gives its memory back', () => {
    const costs = { conv2dPairs: 0.3, conv2dQuads: 0.5, conv2dSplitQuads: 0.7 };
    const { tookMs, leftBytes } = tune(costs, false);
    expect(tookMs).toBeGreaterThan(0);
    expect(tookMs).toBeLessThan(50);
    expect(leftBytes).toBe(0);
  });

  it('knows nothing of an engine too slow for it', () => {
    const costs = { conv2dPairs: 9, conv2dQuads: 3, conv2dSplitQuads: 9 };
    expect(tune(costs, false).names).toEqual([undefined, undefined, undefined]);
  });
});

describe('kernels by name', () => {
  const [conv] = CONV2D_CASES.filter(({ name }) => name.includes('b1'));
  const kernels = async (
    wasmKernels: NonNullable<BackendOptions['wasmKernels']>,
  ): Promise<string[]> => {
    if (conv === undefined) throw new Error('no case');
    const model = conv.build();
    const plan = planGraph(model);
    const backend = await createWasmBackendWith(loadModuleFile, {
      ...{ wasmUrls: WASM_FILE_URLS, wasmVariant: 'simd128', wasmKernels },
    });
    const compiled = await backend.compile(model, plan);
    const reference = await (await createReferenceBackend()).compile(model, plan);
    const input = { kind: 'crop', data: conv.image(model) } as const;
    expect(heatmapDifference(await reference.run(input), await compiled.run(input))).toBeNull();
    backend.close();
    return compiled.kernels.filter((name) => name.includes('_b1_'));
  };

  it.each([
    [['simd128_wide'], 'simd128_wide'],
    [['simd128_masks'], 'simd128_masks'],
    [['simd128_lut'], 'simd128_lut'],
    [['relaxed_pairs', 'simd128_wide'], 'simd128_wide'],
    [['no such kernel'], 'simd128_masks'],
    ['expected', 'simd128_masks'],
  ] as const)('%o takes %s', async (names, kernel) => {
    const chosen = await kernels(names);
    expect(chosen.length).toBeGreaterThan(0);
    for (const name of chosen) expect(name).toContain(kernel);
  });

  it('measured takes one of those that can run, with equal results', async () => {
    for (const name of await kernels('measured')) expect(name).toMatch(/simd128_(masks|lut|wide)$/);
  });
});
