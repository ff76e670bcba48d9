/**
 * The WebGPU engine in Chromium: every kernel case, random graphs, crops and the shipped face pack against the reference.
 * The same bits, on the kernels that Chromium must choose. Node runs more graphs (test/unit/webgpu_random.test.ts).
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CropAffine, WebgpuKernelName } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { createWebgpuBackend, type WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { checkGolden, goldenImage } from '../../src/model/golden';
import { parsePack } from '../../src/model/pack';
import facePackUrl from '../../models/face.bitmarks?url';
import { CONV2D_CASES } from '../cases/conv2d';
import { cropCases, frameBytes } from '../cases/crop';
import { MAX_POOL2D_CASES } from '../cases/max_pool2d';
import { heapGrowth } from '../helpers/heap_growth';
import { ModelBuilder } from '../helpers/model_builder';
import { modelArbitrary, randomImage } from '../helpers/random_model';
import { compareWithReference, expectedKernels, openVariant } from '../helpers/webgpu_suite';

const CROP_SIZE = 24;

let engine: WebgpuEngine;

beforeAll(async () => {
  engine = await openVariant();
});
afterAll(() => engine.close());

test('Chromium has packed dot products and subgroups, so no kernel is refused', async () => {
  const named = await openVariant('subgroup', 'dot4', 'storage');
  expect(named.device).toMatch(/swiftshader$/);
  expect(named.gpuDevice.features.has('subgroups')).toBe(true);
  named.close();
});

test('default kernels use packed dot products', async () => {
  const backend = await createWebgpuBackend({ wasmUrls: { simd128: '', relaxed: '' } });
  const builder = new ModelBuilder(4, 4);
  const model = builder.build([builder.conv(builder.image, { outChannels: 1, encoding: 'i8' })]);
  const compiled = await backend.compile(model, planGraph(model));
  expect(compiled.kernels).toEqual(['conv2d_i8_dot4_4x4']);
  expect(backend.device).toContain('swiftshader');
  backend.close();
});

test.each([...CONV2D_CASES, ...MAX_POOL2D_CASES])('$name', async ({ build, image }) => {
  const model = build();
  const { kernels, difference } = await compareWithReference(engine, model, {
    kind: 'crop',
    data: image(model),
  });
  expect(difference).toBeNull();
  expect(kernels).toEqual(expectedKernels(model));
});

// Every variant by name, and every other tile of those whose texts differ in more than a function.
describe.each<[numRuns: number, ...names: WebgpuKernelName[]]>([
  [60],
  [20, 'dot4'],
  [20, 'shift'],
  [60, 'bitplanes'],
  [40, 'subgroup'],
  [10, 'storage'],
  ...(['4x8', '8x4', '2x4', '1x4'] as const).flatMap((tile) => [
    [12, `bitplanes_${tile}`, `subgroup_${tile}`] as [number, ...WebgpuKernelName[]],
    [8, `dot4_${tile}`] as [number, ...WebgpuKernelName[]],
  ]),
])('%i random graphs', (numRuns, ...names) => {
  test(names.join(', ') || 'default kernels', async () => {
    const own = await openVariant(...names);
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(modelArbitrary(), fc.nat(), async (model, seed) => {
        const data = randomImage(model, seed);
        const result = await compareWithReference(own, model, { kind: 'crop', data });
        expect(result.difference).toBeNull();
        expect(result.kernels).toEqual(expectedKernels(model, ...names));
        compared++;
      }),
      // Another seed than in Node: other graphs.
      { numRuns, seed: 2 },
    );
    expect(compared).toBe(numRuns);
    expect(own.memory.bytes).toBe(0);
    own.close();
  });
});

test.each(cropCases(CROP_SIZE))('crop: $name', async ({ width, height, affine, taps }) => {
  const builder = new ModelBuilder(CROP_SIZE, CROP_SIZE);
  const model = builder.build([builder.conv(builder.image, { outChannels: 3, encoding: 'i8' })]);
  const input = {
    kind: 'frame',
    data: frameBytes({ width, height }),
    width,
    height,
    affine,
    taps,
  } as const;
  const plan = planGraph(model);
  const reference = await (await createReferenceBackend()).compile(model, plan);
  const compiled = await engine.compile(model, plan);
  const expected = await reference.run(input);
  expect(await compiled.run(input)).toEqual(expected);
  expect(await compiled.readCrop()).toEqual(await reference.readCrop());
  compiled.close();
});

test('the face pack keeps its golden promise', async () => {
  const file = new Uint8Array(await (await fetch(facePackUrl)).arrayBuffer());
  const model = parsePack(file);
  const compiled = await engine.compile(model, planGraph(model));
  const { data } = await compiled.run({ kind: 'crop', data: goldenImage(model) });
  const last = model.graph.outputs.length - 1;
  expect(() => checkGolden(model, last, data, 'webgpu')).not.toThrow();
  expect(compiled.kernels).toEqual(expectedKernels(model));
  compiled.close();
});

test('a frame leaves less than 2 kB on the heap', async () => {
  const file = new Uint8Array(await (await fetch(facePackUrl)).arrayBuffer());
  const model = parsePack(file);
  const compiled = await engine.compile(model, planGraph(model));
  const [width, height] = [256, 192];
  const data = frameBytes({ width, height });
  const affine: CropAffine = [0, 0, 65536, 0, 0, 65536];
  // As a camera brings them: each frame new, and the next one staged while this one is at work.
  const frameOf = (id: number) =>
    ({
      kind: 'frame',
      data,
      width,
      height,
      id,
      affine,
      taps: 1,
    }) as const;
  const grown = await heapGrowth((frame) => {
    const running = compiled.runSums?.(frameOf(frame));
    engine.stage(frameOf(frame + 1));
    return running ?? Promise.reject(new Error('the engine has lost its runSums'));
  }, 15);
  compiled.close();
  console.log(`${grown} bytes of heap a frame`);
  expect(grown).toBeGreaterThan(0);
  expect(grown).toBeLessThan(2048);
});
