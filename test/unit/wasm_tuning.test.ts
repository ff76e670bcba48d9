/** The choice between kernels that compute the same: by name, by measurement, and what is measured in which time. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import type { BackendOptions } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { MemoryArena } from '../../src/engine/wasm/arena';
import { chooseKernels, type KnownKernels } from '../../src/engine/wasm/tuning';
import { keepMeasured, readMeasured } from '../../src/engine/wasm/tuning_cache';
import type { WasmExports } from '../../src/engine/wasm/kernels/kernel';
import { createWasmBackendWith, type WasmBackend } from '../../src/engine/wasm/wasm_backend';
import { CONV2D_CASES } from '../cases/conv2d';
import { heatmapDifference } from '../helpers/differences';
import { ModelBuilder } from '../helpers/model_builder';
import { FakeCache } from '../helpers/fake_cache';

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
  const host = { arena, exports, fusedDot };
  const { prefer } = chooseKernels('measured', host, null, nowMs, new Map());
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

afterEach(() => {
  vi.useRealTimers();
});

describe('by default', () => {
  const costs = { conv2dPairs: 0.1, conv2dQuads: 0.05, conv2dSplitQuads: 0.2 };
  const start = (known: KnownKernels, choice?: BackendOptions['wasmKernels']) => {
    const arena = new MemoryArena(1024, false);
    const { exports, nowMs } = slowModule(costs);
    const host = { arena, exports, fusedDot: false };
    return { ...chooseKernels(choice, host, null, nowMs, known), nowMs };
  };

  it('starts with what is expected, in no time, and measures for the next backend', () => {
    const known: KnownKernels = new Map();
    const first = start(known);
    expect([first.prefer('b1', 1), first.isMeasured, first.nowMs()]).toEqual([[], false, 0]);
    expect(first.measureForLater()?.get('b1 pixel')).toBe('relaxed_quads');
    expect(first.nowMs()).toBeLessThan(50);
    expect(first.prefer('b1', 1), 'a backend keeps its kernels').toEqual([]);
    const second = start(known);
    expect([second.prefer('b1', 1), second.isMeasured]).toEqual([['relaxed_quads'], true]);
    expect([second.measureForLater(), second.nowMs()]).toEqual([null, 0]);
  });

  it('takes what an earlier visit kept', () => {
    const kept = new Map([['b1 pixel', 'relaxed_quads']]);
    const { exports, nowMs } = slowModule(costs);
    const host = { arena: new MemoryArena(1024, false), exports, fusedDot: false };
    const choice = chooseKernels(undefined, host, kept, nowMs, new Map());
    expect([choice.prefer('b1', 1), choice.isMeasured]).toEqual([['relaxed_quads'], true]);
    expect([choice.measureForLater(), nowMs()]).toEqual([null, 0]);
  });

  it.each(['expected', ['relaxed_pairs']] as const)('is overridden by %o', (choice) => {
    const known: KnownKernels = new Map([['relaxed', new Map([['b1 pixel', 'relaxed_quads']])]]);
    const { prefer, isMeasured, measureForLater } = start(known, choice);
    expect(prefer('b1', 1)).toEqual(choice === 'expected' ? [] : choice);
    expect([isMeasured, measureForLater()]).toEqual([false, null]);
  });

  it('keeps what was measured for the same engine alone', async () => {
    const cache = new FakeCache();
    const url = 'https://a.test/wasm/relaxed.wasm';
    const measured = new Map([['b1 pixel', 'relaxed_quads']]);
    expect(await readMeasured(url, cache, 'Engine 1')).toBeNull();
    await keepMeasured(url, measured, cache, 'Engine 1');
    expect(await readMeasured(url, cache, 'Engine 1')).toEqual(measured);
    expect(await readMeasured(url, cache, 'Engine 2')).toBeNull();
    expect(await readMeasured(url, null, 'Engine 1')).toBeNull();
    await cache.put(`${url}?kernels`, new Response('{"engine":"Engine 1","kernels":7}'));
    expect(await readMeasured(url, cache, 'Engine 1')).toBeNull();
    await cache.put(`${url}?kernels`, new Response('not JSON'));
    expect(await readMeasured(url, cache, 'Engine 1')).toBeNull();
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

  it('measures once a frame was seen, not before and not twice', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const create = (): Promise<WasmBackend> =>
      createWasmBackendWith(loadModuleFile, {
        ...{ wasmUrls: WASM_FILE_URLS, wasmVariant: 'simd128' },
      });
    const backend = await create();
    const builder = new ModelBuilder(8, 8);
    const model = builder.build([builder.conv(builder.image, { outChannels: 2 })]);
    const compiled = await backend.compile(model, planGraph(model));
    await compiled.run({ kind: 'crop', data: new Uint8Array(8 * 8 * 3) });
    expect(vi.getTimerCount(), 'a self-test is no frame').toBe(0);
    const frame = { width: 2, height: 2, data: new Uint8Array(16), taps: 1 };
    await compiled.run({ kind: 'frame', ...frame, affine: [0, 0, 0, 0, 0, 0] });
    await compiled.run({ kind: 'frame', ...frame, affine: [0, 0, 0, 0, 0, 0] });
    expect(vi.getTimerCount()).toBe(1);
    backend.close();
    expect(vi.getTimerCount(), 'a closed backend measures nothing').toBe(0);
  });

  it('measured takes one of those that can run, with equal results', async () => {
    const options = { wasmUrls: WASM_FILE_URLS, wasmVariant: 'simd128' } as const;
    const device = async (wasmKernels: 'measured' | 'expected'): Promise<string> =>
      (await createWasmBackendWith(loadModuleFile, { ...options, wasmKernels })).device;
    expect(await device('expected')).toBe('WASM simd128');
    expect(await device('measured')).toMatch(/^WASM simd128(, kernels measured)?$/);
    for (const name of await kernels('measured')) expect(name).toMatch(/simd128_(masks|lut|wide)$/);
  });
});
