/**
 * What every variant of the WASM engine must do, wherever it runs: the same values as the reference engine on every case,
 * the kernels that the variant promises, and memory that comes back. Defines tests; the test files say on what they run.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, BackendOptions, EngineInput } from '../../src/engine/backend';
import { planGraph, type ConvStep, type PlanStep } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import type { WasmLoader } from '../../src/engine/wasm/module_loader';
import { probeVariants, type WasmVariant } from '../../src/engine/wasm/variant';
import { createWasmBackendWith, type WasmBackend } from '../../src/engine/wasm/wasm_backend';
import { cropFrame } from '../../src/model/crop';
import type { Model } from '../../src/model/types';
import { CONV2D_CASES, type KernelCase } from '../cases/conv2d';
import { cropCases, frameBytes } from '../cases/crop';
import { MAX_POOL2D_CASES } from '../cases/max_pool2d';
import { difference, heatmapDifference } from './differences';
import { ModelBuilder } from './model_builder';
import { Random } from './random';
import { modelArbitrary, randomImage } from './random_model';

const RANDOM_GRAPHS = 500;
const CROP_SIZE = 32;

/** A variant and, for relaxed, whether its kernels are those for engines with a fused dot product. */
export interface WasmFlavor {
  readonly variant: WasmVariant;
  readonly fusedDot: boolean;
  /** A kernel for 1-bit weights that is asked for by name. */
  readonly b1?: string;
}

/** The kernel that a flavor must take for a step, less the part that says where activations come from. */
function expectedKernel(step: PlanStep, { variant, fusedDot, b1 }: WasmFlavor): string {
  if (step.kind === 'max_pool2d') return 'max_pool2d_simd128';
  const { encoding } = step.node;
  if (encoding === 'b1' && b1 !== undefined) return `conv2d_b1_${b1}`;
  const unfused = encoding === 'i8' ? 'relaxed_split_quads' : 'relaxed_pairs';
  const relaxed = fusedDot ? 'relaxed_quads' : unfused;
  const simd128 = encoding === 'b1' ? 'simd128_masks' : 'simd128_wide';
  return `conv2d_${encoding}_${variant === 'relaxed' ? relaxed : simd128}`;
}

/** Checks every kernel name; 'shared' is possible only after another convolution of the same source. */
function expectKernels(
  kernels: readonly string[],
  steps: readonly PlanStep[],
  flavor: WasmFlavor,
): void {
  expect(kernels.map((name) => name.replace(/^.*\+/, ''))).toEqual(
    steps.map((step) => expectedKernel(step, flavor)),
  );
  steps.forEach((step, index) => {
    if (step.kind !== 'conv2d') return;
    const source = kernels[index]?.replace(/\+.*$/, '');
    if (source === 'shared') {
      const earlier = steps.slice(0, index).filter(({ kind }) => kind === 'conv2d') as ConvStep[];
      expect(earlier.at(-1)?.source).toEqual(step.source);
    } else {
      expect(source).toBe(step.source.kind === 'image' ? 'image' : 'requantize');
    }
  });
}

interface Engines {
  readonly flavor: WasmFlavor;
  readonly wasm: WasmBackend;
  readonly reference: Backend;
}

/** Runs one input on both engines and compares every value and the kernels. */
async function expectEqual(
  engines: Engines,
  model: Model,
  input: EngineInput,
  output?: string,
): Promise<void> {
  const plan = planGraph(model, output);
  const [wasm, reference] = await Promise.all([
    engines.wasm.compile(model, plan),
    engines.reference.compile(model, plan),
  ]);
  try {
    const [actual, expected] = await Promise.all([wasm.run(input), reference.run(input)]);
    expect(heatmapDifference(expected, actual)).toBeNull();
    expectKernels(wasm.kernels, plan.steps, engines.flavor);
  } finally {
    wasm.close();
    reference.close();
  }
}

/** A model whose output is its input, to look at crops alone. */
function cropModel(size: number): Model {
  const builder = new ModelBuilder(size, size);
  const output = builder.conv(builder.image, { outChannels: 1, encoding: 'i8' });
  return builder.build([output]);
}

/** Defines the suite for one flavor; `loadModule` and `wasmUrls` are the runtime's. */
export function defineWasmSuite(
  flavor: WasmFlavor,
  loadModule: WasmLoader,
  wasmUrls: BackendOptions['wasmUrls'],
): void {
  const create = (): Promise<WasmBackend> =>
    createWasmBackendWith(
      loadModule,
      {
        ...{ wasmUrls, wasmVariant: flavor.variant },
        wasmKernels: flavor.b1 === undefined ? 'expected' : [flavor.b1],
      },
      { ...probeVariants(), fusedDot: flavor.fusedDot },
    );
  const { variant, fusedDot, b1 } = flavor;
  describe(`wasm ${variant}${fusedDot ? ', fused dot' : ''}${b1 === undefined ? '' : `, ${b1}`}`, () => {
    let engines: Engines;

    beforeAll(async () => {
      engines = { flavor, wasm: await create(), reference: await createReferenceBackend() };
      expect(engines.wasm.variant).toBe(variant);
    });

    afterAll(() => {
      engines.wasm.close();
      engines.reference.close();
    });

    const runCase = async ({ build, image }: KernelCase): Promise<void> => {
      const model = build();
      await expectEqual(engines, model, { kind: 'crop', data: image(model) });
    };
    it.each(CONV2D_CASES)('conv2d equals the reference: $name', runCase);
    it.each(MAX_POOL2D_CASES)('max_pool2d equals the reference: $name', runCase);

    it(`equals the reference on ${RANDOM_GRAPHS} random graphs, every output`, async () => {
      await fc.assert(
        fc.asyncProperty(modelArbitrary(), fc.nat(), async (model, seed) => {
          const data = randomImage(model, seed);
          for (const output of model.graph.outputs) {
            await expectEqual(engines, model, { kind: 'crop', data }, output);
          }
        }),
        { numRuns: RANDOM_GRAPHS },
      );
    });

    defineSharingTests(() => engines);
    defineCropTests(() => engines.wasm);
    defineLifeTests(create, () => engines);
  });
}

function defineSharingTests(engines: () => Engines): void {
  const spread = { multiplier: (c: number) => 30000 - 7000 * (c % 3), bias: () => 900, shift: 4 };
  const kernelsOf = async (model: Model): Promise<readonly string[]> => {
    const data = randomImage(model, 1);
    await expectEqual(engines(), model, { kind: 'crop', data });
    const compiled = await engines().wasm.compile(model, planGraph(model));
    compiled.close();
    return compiled.kernels.map((name) => name.replace(/\+.*$/, ''));
  };

  it('requantizes once for two convolutions that read the same tensor', async () => {
    const builder = new ModelBuilder(6, 5);
    const stem = builder.conv(builder.image, { outChannels: 9, encoding: 'i8' });
    const read = builder.requantize([stem], spread);
    const pair = [1, 2].map(() => builder.conv(read, { outChannels: 16, kernel: 3 }));
    const joined = builder.requantize(pair, spread);
    const model = builder.build([builder.conv(joined, { outChannels: 3 })]);
    expect(await kernelsOf(model)).toEqual(['image', 'requantize', 'shared', 'requantize']);
  });

  it('does not share between kernels of other sizes, or other widths of activations', async () => {
    const builder = new ModelBuilder(6, 5);
    const stem = builder.conv(builder.image, { outChannels: 9, encoding: 'i8' });
    const read = builder.requantize([stem], spread);
    const wide = builder.conv(read, { outChannels: 4, encoding: 'i8' });
    const narrow = builder.conv(read, { outChannels: 4, encoding: 'b1' });
    const large = builder.conv(read, { outChannels: 4, kernel: 3 });
    const joined = builder.requantize([wide, narrow, large], spread);
    const model = builder.build([builder.conv(joined, { outChannels: 3 })]);
    const narrowSource = engines().wasm.variant === 'relaxed' ? 'shared' : 'requantize';
    expect(await kernelsOf(model)).toEqual([
      ...['image', 'requantize', narrowSource, 'requantize', 'requantize'],
    ]);
  });

  it('requantizes again for another pool of the same shape and norm', async () => {
    const builder = new ModelBuilder(8, 8);
    const weights = (seed: number): (() => number) => {
      const random = new Random(seed);
      return () => random.integer(-127, 127);
    };
    const stems = [1, 2].map((seed) =>
      builder.conv(builder.image, { outChannels: 8, encoding: 'i8', weights: weights(seed) }),
    );
    const [first = '', second = ''] = stems;
    const norm = builder.requantize([builder.maxPool(first)], spread);
    const before = builder.conv(norm, { outChannels: 16 });
    const share = `${norm}.n`;
    const again = builder.requantize([builder.maxPool(second)], { ...spread, share });
    const after = builder.conv(again, { outChannels: 16 });
    const joined = builder.requantize([before, after], spread);
    const model = builder.build([builder.conv(joined, { outChannels: 3 })]);
    const pool = 'max_pool2d_simd128';
    expect(await kernelsOf(model)).toEqual([
      ...['image', 'shared', pool, 'requantize', pool, 'requantize', 'requantize'],
    ]);
  });

  it('requantizes again for each tensor of one norm', async () => {
    const builder = new ModelBuilder(4, 4);
    const stem = builder.conv(builder.image, { outChannels: 8, encoding: 'i8' });
    const norm = builder.requantize([stem], spread);
    let feature = builder.conv(norm, { outChannels: 8 });
    for (let round = 0; round < 4; round++) {
      const again = builder.requantize([feature], { ...spread, share: `${norm}.n` });
      feature = builder.conv(again, { outChannels: 8 });
    }
    const model = builder.build([feature]);
    expect(await kernelsOf(model)).not.toContain('shared');
  });
}

function defineCropTests(wasm: () => WasmBackend): void {
  it.each(cropCases(CROP_SIZE))('crop equals the reference: $name', async (crop) => {
    const model = cropModel(CROP_SIZE);
    const compiled = await wasm().compile(model, planGraph(model));
    const frame = { ...crop, data: frameBytes(crop) };
    await compiled.run({ kind: 'frame', ...frame });
    const expected = cropFrame(frame, CROP_SIZE, CROP_SIZE);
    expect(difference(expected, await compiled.readCrop())).toBeNull();
    await compiled.run({ kind: 'crop', data: new Uint8Array(CROP_SIZE * CROP_SIZE * 3) });
    expect(difference(expected, await compiled.readCrop())).toBeNull();
    compiled.close();
  });

  it('crops a large frame block by block, equal to the reference, in little memory', async () => {
    const model = cropModel(CROP_SIZE);
    const compiled = await wasm().compile(model, planGraph(model));
    const [width, height] = [4001, 3001];
    const data = new Uint8Array(width * height * 4);
    for (let i = 0; i < data.length; i++) data[i] = (i * 2654435761) >>> 24;
    const frame = {
      ...{ width, height, data, taps: 8 },
      affine: [-20_000_000, 900_000, 8_000_000, 2_000_000, -2_000_000, 6_000_000],
    } as const;
    await compiled.run({ kind: 'frame', ...frame });
    const expected = cropFrame(frame, CROP_SIZE, CROP_SIZE);
    expect(difference(expected, await compiled.readCrop())).toBeNull();
    expect(wasm().memoryBytes().used).toBeLessThan(5 * 2 ** 20);
    compiled.close();
  });

  it('refuses inputs of the wrong size', async () => {
    const model = cropModel(8);
    const compiled = await wasm().compile(model, planGraph(model));
    const frame = { kind: 'frame', affine: [0, 0, 0, 0, 0, 0], taps: 1 } as const;
    const bad: readonly EngineInput[] = [
      { kind: 'crop', data: new Uint8Array(191) },
      { ...frame, data: new Uint8Array(15), width: 2, height: 2 },
      { ...frame, data: new Uint8Array(0), width: 0, height: 2 },
      { ...frame, data: new Uint8Array(16), width: 2, height: 2, taps: 9 },
    ];
    for (const input of bad) {
      await expect(compiled.run(input)).rejects.toMatchObject({ code: 'input/invalid' });
    }
    await expect(compiled.readCrop()).rejects.toMatchObject({ code: 'backend/failed' });
    compiled.close();
  });
}

function defineLifeTests(create: () => Promise<WasmBackend>, engines: () => Engines): void {
  const conv = CONV2D_CASES.at(0);
  const build = (): { model: Model; data: Uint8Array } => {
    if (conv === undefined) throw new Error('no cases');
    const model = conv.build();
    return { model, data: conv.image(model) };
  };

  it('gives memory back: compiling and closing again and again does not grow it', async () => {
    const backend = await create();
    const { model, data } = build();
    const cycle = async (): Promise<void> => {
      const compiled = await backend.compile(model, planGraph(model));
      await compiled.run({ kind: 'frame', ...frame(data) });
      compiled.close();
      compiled.close();
    };
    await cycle();
    const before = backend.memoryBytes();
    for (let round = 0; round < 20; round++) await cycle();
    expect(backend.memoryBytes()).toEqual(before);
    backend.close();
    expect(backend.memoryBytes().used).toBe(0);
  });

  it('runs several models side by side, and runSync gives what run gives', async () => {
    const backend = await create();
    const random = new Random(3);
    const models = CONV2D_CASES.slice(40, 52).map(({ build: make }) => make());
    const compiled = await Promise.all(
      models.map((model) => backend.compile(model, planGraph(model))),
    );
    for (const close of [1, 5, 6]) compiled[close]?.close();
    for (const [index, model] of models.entries()) {
      const data = randomImage(model, random.integer(0, 10));
      const again = await backend.compile(model, planGraph(model));
      const reference = await engines().reference.compile(model, planGraph(model));
      const expected = await reference.run({ kind: 'crop', data });
      expect(heatmapDifference(expected, await again.run({ kind: 'crop', data }))).toBeNull();
      expect(again.runSync?.({ kind: 'crop', data })).toEqual(expected);
      if ([1, 5, 6].includes(index)) continue;
      expect(await compiled[index]?.run({ kind: 'crop', data })).toEqual(expected);
    }
    backend.close();
  });

  it('reports bytes, hands out heatmaps it never touches again, and settles after close', async () => {
    const backend = await create();
    const { model, data } = build();
    const compiled = await backend.compile(model, planGraph(model));
    expect(compiled.bytes.weights).toBeGreaterThan(0);
    expect(compiled.bytes.activations).toBeGreaterThan(0);
    const first = await compiled.run({ kind: 'crop', data });
    const copy = first.data.slice();
    await compiled.run({ kind: 'crop', data: data.map((value) => 255 - value) });
    expect(first.data).toEqual(copy);
    backend.close();
    backend.close();
    await expect(compiled.run({ kind: 'crop', data })).rejects.toMatchObject({ code: 'closed' });
    await expect(compiled.readCrop()).rejects.toMatchObject({ code: 'closed' });
    await expect(backend.compile(model, planGraph(model))).rejects.toMatchObject({
      code: 'closed',
    });
  });

  it('does not grow over 1,000 frames', async () => {
    const backend = await create();
    const { model, data } = build();
    const compiled = await backend.compile(model, planGraph(model));
    const input = { kind: 'frame', ...frame(data) } as const;
    await compiled.run(input);
    const before = backend.memoryBytes();
    expect(before.used).toBeGreaterThan(0);
    for (let count = 1; count < 1000; count++) compiled.runSync?.(input);
    expect(backend.memoryBytes()).toEqual(before);
    backend.close();
  });

  it('places activations where tensors are not, without more memory', async () => {
    // The stem's output and its pooled copy are the most that lives at once; activations of later steps fit beside the rest.
    const builder = new ModelBuilder(32, 32);
    const stem = builder.conv(builder.image, { outChannels: 64, stride: 2, encoding: 'i8' });
    const read = builder.requantize([builder.maxPool(stem)]);
    const model = builder.build([builder.conv(read, { outChannels: 8 })]);
    const compiled = await engines().wasm.compile(model, planGraph(model));
    compiled.close();
    const image = 32 * 32 * 3;
    const slack = 2 * 32;
    expect(compiled.bytes.activations).toBe(image + 2 * (16 * 16 * 64 + 8 * 8 * 64) + slack);
  });

  it('fails to compile a model that lacks a parameter, and frees what it took', async () => {
    const { model } = build();
    const before = engines().wasm.memoryBytes().used;
    const broken = { ...model, norms: new Map() };
    await expect(engines().wasm.compile(broken, planGraph(model))).rejects.toMatchObject({
      code: 'backend/failed',
    });
    expect(engines().wasm.memoryBytes().used).toBe(before);
  });
}

/** A frame made of some bytes, cropped somewhere. */
function frame(data: Uint8Array): Omit<Extract<EngineInput, { kind: 'frame' }>, 'kind'> {
  const [width, height] = [30, 20];
  const pixels = Uint8Array.from(
    { length: width * height * 4 },
    (_, i) => data[i % data.length] ?? 0,
  );
  return { data: pixels, width, height, affine: [0, 0, 65536, 5000, -5000, 65536], taps: 2 };
}
