/**
 * Every kernel case on WebGPU (Dawn in Node), in each variant that computes in a way of its own, against the reference: the
 * same bits, computed by the kernels that were asked for.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { CONV2D_CASES } from '../cases/conv2d';
import { cropCases, frameBytes } from '../cases/crop';
import { MAX_POOL2D_CASES } from '../cases/max_pool2d';
import { installDawn, removeDawn } from '../helpers/dawn';
import { ModelBuilder } from '../helpers/model_builder';
import { randomModel } from '../helpers/random_model';
import { compareWithReference, expectedKernels, openVariant } from '../helpers/webgpu_suite';

beforeAll(installDawn);
afterAll(removeDawn);

describe.each(['dot4', 'shift', 'bitplanes', 'subgroup'] as const)('%s', (variant) => {
  let engine: WebgpuEngine;

  beforeAll(async () => {
    engine = await openVariant(variant);
  });
  afterAll(() => engine.close());

  test.each([...CONV2D_CASES, ...MAX_POOL2D_CASES])('$name', async ({ build, image }) => {
    const model = build();
    const { kernels, difference } = await compareWithReference(engine, model, {
      kind: 'crop',
      data: image(model),
    });
    expect(difference).toBeNull();
    expect(kernels).toEqual(expectedKernels(model, variant));
  });

  test('a 15 x 15 kernel with stride 2', async () => {
    const builder = new ModelBuilder(21, 37);
    const conv = builder.conv(builder.image, {
      kernel: 15,
      stride: 2,
      outChannels: 6,
      encoding: 'i8',
      weights: (index) => ((index * 37) % 255) - 127,
    });
    const model = builder.build([conv]);
    const data = frameBytes({ width: 21, height: 37 }).slice(0, 21 * 37 * 3);
    const { difference } = await compareWithReference(engine, model, { kind: 'crop', data });
    expect(difference).toBeNull();
  });
});

describe('crop', () => {
  const SIZE = 24;

  test.each(cropCases(SIZE))('$name', async ({ width, height, affine, taps }) => {
    const engine = await sharedEngine();
    const builder = new ModelBuilder(SIZE, SIZE);
    const model = builder.build([builder.conv(builder.image, { outChannels: 3, encoding: 'i8' })]);
    const data = frameBytes({ width, height });
    const input = { kind: 'frame', data, width, height, affine, taps } as const;
    const plan = planGraph(model);
    const reference = await (await createReferenceBackend()).compile(model, plan);
    const compiled = await engine.compile(model, plan);
    const expected = await reference.run(input);
    const found = await compiled.run(input);
    expect(await compiled.readCrop()).toEqual(await reference.readCrop());
    expect(found).toEqual(expected);
    compiled.close();
  });

  test('frames of growing and shrinking sizes share one model', async () => {
    const engine = await sharedEngine();
    const model = randomModel(5);
    const [height, width] = model.graph.input.shape;
    const plan = planGraph(model);
    const reference = await (await createReferenceBackend()).compile(model, plan);
    const compiled = await engine.compile(model, plan);
    for (const [frameWidth, frameHeight] of [
      [20, 9],
      [9, 40],
      [64, 48],
      [3, 2],
    ] as const) {
      const input = {
        kind: 'frame',
        data: frameBytes({ width: frameWidth, height: frameHeight }),
        width: frameWidth,
        height: frameHeight,
        affine: [
          0,
          0,
          Math.round((frameWidth / width) * 65536),
          0,
          0,
          Math.round((frameHeight / height) * 65536),
        ],
        taps: 2,
      } as const;
      expect(await compiled.run(input)).toEqual(await reference.run(input));
    }
    compiled.close();
  });

  let engine: WebgpuEngine | undefined;
  async function sharedEngine(): Promise<WebgpuEngine> {
    engine ??= await openVariant('dot4');
    return engine;
  }
  afterAll(() => engine?.close());
});
