/**
 * Where the WebGPU engine puts features, norms and weights, checked on numbers without a GPU; and that the text of a shader
 * does not depend on sizes, so that networks need few pipelines.
 */
import { expect, test } from 'vitest';
import { planGraph, type ConvStep } from '../../src/engine/planner';
import { channelWords } from '../../src/engine/webgpu/channel_words';
import { selectKernels } from '../../src/engine/webgpu/kernels/index';
import { layoutModel } from '../../src/engine/webgpu/model_layout';
import { CONV2D_CASES } from '../cases/conv2d';
import { MAX_POOL2D_CASES } from '../cases/max_pool2d';
import { ModelBuilder } from '../helpers/model_builder';

const DOT = { hasPackedDot: true };
const SHIFT = { hasPackedDot: false };

/** A convolution over a part of 5 channels, an upsampled part of 3, and 4 more. */
function partsModel() {
  const builder = new ModelBuilder(8, 8);
  const weights = { encoding: 'i8', weights: (index: number) => (index % 7) - 3 } as const;
  const five = builder.conv(builder.image, { outChannels: 5, ...weights });
  const three = builder.upsample(
    builder.conv(builder.image, { outChannels: 3, stride: 2, ...weights }),
  );
  const four = builder.conv(builder.image, { outChannels: 4, ...weights });
  const norm = { multiplier: (c: number) => -1 - c, bias: (c: number) => c - 6, shift: 3 };
  const activation = builder.requantize([five, three, four], norm);
  const head = builder.conv(activation, { outChannels: 7, ...weights });
  return builder.build([head]);
}

function lastConv(model: ReturnType<typeof partsModel>): ConvStep {
  const step = planGraph(model).steps.at(-1);
  if (step?.kind !== 'conv2d') throw new Error('the last step is no convolution');
  return step;
}

test('a word of channels never straddles two parts', () => {
  expect(channelWords(lastConv(partsModel()))).toEqual([
    { part: 0, wordInPart: 0, firstChannel: 0, channels: 4 },
    { part: 0, wordInPart: 1, firstChannel: 4, channels: 1 },
    { part: 1, wordInPart: 0, firstChannel: 5, channels: 3 },
    { part: 2, wordInPart: 0, firstChannel: 8, channels: 4 },
  ]);
});

test('the table holds place and norm of each word', () => {
  const model = partsModel();
  const plan = planGraph(model);
  const layout = layoutModel(model, plan);
  const placement = layout.placements.at(-1);
  expect(placement).toMatchObject({ tableBase: 0, normShift: 3 });
  const entries = Array.from({ length: 4 }, (_, word) => [
    ...layout.table.subarray(word * 8, word * 8 + 8),
  ]);
  const { source } = lastConv(model);
  const parts = source.kind === 'parts' ? source.parts : [];
  const base = (part: number) => placement?.featureBase(parts[part]?.tensor ?? -1) ?? NaN;
  expect(entries.map((entry) => entry.slice(0, 4))).toEqual([
    [base(0), 64, 8, 0],
    [base(0) + 2 * 64, 0, 8, 0],
    [base(1), 16, 4, 1],
    [base(2), 64, 8, 0],
  ]);
  const norm = (channel: number) => (((channel - 6) << 16) | ((-1 - channel) & 0xffff)) >>> 0;
  expect(entries.map((entry) => entry.slice(4))).toEqual([
    [norm(0), norm(1), norm(2), norm(3)],
    [norm(4), 0, 0, 0],
    [norm(5), norm(6), norm(7), 0],
    [norm(8), norm(9), norm(10), norm(11)],
  ]);
});

test('live tensors do not overlap and odd channels are padded to pairs', () => {
  const model = partsModel();
  const plan = planGraph(model);
  const { placements, featureWords } = layoutModel(model, plan);
  const ranges = plan.steps.map(({ outputShape: [h, w, c] }, index) => {
    const base = placements[index]?.outputBase ?? NaN;
    return [base, base + h * w * Math.ceil(c / 2)] as const;
  });
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  sorted.slice(1).forEach(([start], index) => {
    expect(start).toBeGreaterThanOrEqual(sorted[index]?.[1] ?? NaN);
  });
  expect(sorted.at(-1)?.[1]).toBe(featureWords);
});

test('shared weights are unpacked once per way in which they are read', () => {
  const builder = new ModelBuilder(4, 4);
  const stem = builder.conv(builder.image, { outChannels: 4, encoding: 'i8' });
  const pair = builder.conv(builder.image, { outChannels: 2, encoding: 'i8' });
  const first = builder.conv(builder.requantize([stem, stem]), { outChannels: 4 });
  const share = [...builder.weights.keys()].at(-1) ?? '';
  const again = builder.conv(builder.requantize([first, stem]), { outChannels: 4, share });
  const split = builder.requantize([pair, again, pair]);
  const head = builder.conv(split, { outChannels: 4, share });
  const model = builder.build([head]);
  const { unpacks, placements } = layoutModel(model, planGraph(model));
  const uses = unpacks.filter(({ weight }) => weight === model.weights.get(share));
  expect(uses.map(({ words }) => words)).toEqual([2, 3]);
  expect(new Set(uses.map(({ packedBase }) => packedBase)).size).toBe(1);
  expect(placements.map(({ weightBase }) => weightBase)).toHaveLength(5);
  expect(placements[2]?.weightBase).toBe(placements[3]?.weightBase);
  expect(placements[4]?.weightBase).not.toBe(placements[3]?.weightBase);
});

test('a device without packed dot products gets the shift kernels', () => {
  const step = lastConv(partsModel());
  expect(selectKernels(step, DOT).main.name).toBe('conv2d_i8_dot4');
  expect(selectKernels(step, SHIFT).main.name).toBe('conv2d_i8_shift');
});

test('all cases together need six shader texts', () => {
  const texts = [...CONV2D_CASES, ...MAX_POOL2D_CASES].flatMap(({ build }) =>
    planGraph(build()).steps.flatMap((step) => {
      const { activations, main } = selectKernels(step, DOT);
      return activations === null ? [main.wgsl] : [activations.wgsl, main.wgsl];
    }),
  );
  // Activations of the image and of features; kernels of 1, of 3, and any; pooling.
  expect(new Set(texts).size).toBe(6);
});
