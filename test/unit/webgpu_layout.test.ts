/**
 * Where the WebGPU engine puts features, norms and weights, checked on numbers without a GPU; and that the text of a shader
 * does not depend on sizes, so that networks need few pipelines.
 */
import { expect, test } from 'vitest';
import { planGraph, type ConvStep, type Plan } from '../../src/engine/planner';
import type { WebgpuKernelName } from '../../src/engine/backend';
import { channelWords } from '../../src/engine/webgpu/channel_words';
import { activationPlanes } from '../../src/engine/webgpu/kernels/activation_planes';
import { kernelRefusals } from '../../src/engine/webgpu/kernels/conv2d_candidates';
import { selectKernels } from '../../src/engine/webgpu/kernels/index';
import { layoutModel } from '../../src/engine/webgpu/model_layout';
import { traitsOf } from '../../src/engine/webgpu/webgpu_device';
import { CONV2D_CASES } from '../cases/conv2d';
import { MAX_POOL2D_CASES } from '../cases/max_pool2d';
import { ModelBuilder } from '../helpers/model_builder';

const DOT = { hasPackedDot: true, subgroupSize: 4, workgroupSize: 64, isSoftware: true };
const SHIFT = { ...DOT, hasPackedDot: false };

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

const bytesOf = ({ steps }: Plan) => steps.map(() => 'bytes' as const);

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
  const layout = layoutModel(model, plan, bytesOf(plan));
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
  const { placements, featureWords } = layoutModel(model, plan, bytesOf(plan));
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
  const plan = planGraph(model);
  const { unpacks, placements } = layoutModel(model, plan, bytesOf(plan));
  const uses = unpacks.filter(({ weight }) => weight === model.weights.get(share));
  expect(uses.map(({ words }) => words)).toEqual([2, 3]);
  expect(new Set(uses.map(({ packedBase }) => packedBase)).size).toBe(1);
  expect(placements.map(({ weightBase }) => weightBase)).toHaveLength(5);
  expect(placements[2]?.weightBase).toBe(placements[3]?.weightBase);
  expect(placements[4]?.weightBase).not.toBe(placements[3]?.weightBase);
});

test('a device without packed dot products gets the shift kernels', () => {
  const step = lastConv(partsModel());
  expect(selectKernels(step, DOT).main.name).toBe('conv2d_i8_dot4_4x4');
  expect(selectKernels(step, SHIFT).main.name).toBe('conv2d_i8_shift_4x4');
});

test('a device without subgroups takes other kernels and says why', () => {
  const step = lastConv(partsModel());
  const traits = { ...DOT, subgroupSize: 0 };
  expect(selectKernels(step, DOT, ['subgroup']).main.name).toBe('conv2d_i8_subgroup_4x4');
  expect(selectKernels(step, traits, ['subgroup']).main.name).toBe('conv2d_i8_dot4_4x4');
  expect(kernelRefusals(['subgroup'], DOT)).toEqual([]);
  expect(kernelRefusals(['subgroup_8x4', 'bitplanes'], traits)).toEqual([
    'subgroup_8x4: this GPU offers no subgroups to shaders',
  ]);
  expect(kernelRefusals(['storage', 'dot4', 'shift'], SHIFT)).toEqual([
    'storage: WGSL has no packed 4x8-bit dot product here',
    'dot4: WGSL has no packed 4x8-bit dot product here',
  ]);
});

test('of several names the first that can run a step is taken, with its tile if it names one', () => {
  const step = lastConv(partsModel());
  const main = (...names: WebgpuKernelName[]) => selectKernels(step, DOT, names).main.name;
  // Bit planes need weights of one bit, these have eight.
  expect(main('bitplanes', 'storage_2x4', 'shift')).toBe('conv2d_i8_storage_2x4');
  expect(main('shift', 'dot4')).toBe('conv2d_i8_shift_4x4');
});

test.each([
  [128, 128, 64, '4x8'],
  [64, 64, 64, '4x8'],
  [32, 32, 64, '4x4'],
  [32, 32, 32, '2x4'],
  [4, 4, 64, '1x4'],
] as const)(
  'a GPU gets tiles that leave it busy: %i x %i x %i in tiles of %s',
  (height, width, outChannels, tile) => {
    const builder = new ModelBuilder(height, width);
    const model = builder.build([builder.conv(builder.image, { outChannels, encoding: 'i8' })]);
    const [step] = planGraph(model).steps;
    if (step === undefined) throw new Error('no step');
    const name = (isSoftware: boolean) => selectKernels(step, { ...DOT, isSoftware }).main.name;
    expect(name(false)).toBe(`conv2d_i8_dot4_${tile}`);
    expect(name(true)).toBe('conv2d_i8_dot4_4x4');
  },
);

test.each([
  [{ isFallbackAdapter: true, subgroupMinSize: 4, subgroupMaxSize: 4 }, ['subgroups'], 4, 64, true],
  [{ architecture: 'swiftshader' }, ['subgroups'], 4, 64, true],
  [{ architecture: 'hopper', subgroupMinSize: 32, subgroupMaxSize: 32 }, [], 0, 64, false],
  [{ subgroupMinSize: 64, subgroupMaxSize: 128 }, ['subgroups'], 64, 128, false],
  [{ subgroupMinSize: 4, subgroupMaxSize: 512 }, ['subgroups'], 4, 256, false],
  [{}, [], 0, 64, false],
] as const)('what kernels know of an adapter: %o', (info, features, subgroup, workgroup, isCpu) => {
  const limits = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256 };
  const device = { features: new Set(features), limits } as unknown as GPUDevice;
  expect(traitsOf(device, info, { wgslLanguageFeatures: new Set() })).toEqual({
    hasPackedDot: false,
    subgroupSize: subgroup,
    workgroupSize: workgroup,
    isSoftware: isCpu,
  });
});

test('bit planes: eight words of channels make a block, with a plane a bit and the bits of each weight', () => {
  const builder = new ModelBuilder(4, 6);
  const stem = builder.conv(builder.image, { outChannels: 37, encoding: 'i8' });
  const quantized = builder.requantize([stem], { inputBits: 3 });
  const model = builder.build([builder.conv(quantized, { outChannels: 5, kernel: 3 })]);
  const plan = planGraph(model);
  const step = plan.steps[1];
  if (step?.kind !== 'conv2d') throw new Error('no convolution');
  expect(activationPlanes(step, 'bits')).toMatchObject({ width: 8, height: 6, words: 2, bits: 2 });
  const layout = layoutModel(model, plan, ['bytes', 'bits']);
  const [ofStem, ofBits] = layout.unpacks;
  // Two groups of output channels, two blocks, nine taps.
  expect(layout.texels - (ofBits?.texelBase ?? NaN)).toBe(2 * 2 * 9);
  expect([ofStem?.form, ofBits?.form, ofBits?.words]).toEqual(['bytes', 'bits', 10]);
});

test('all cases together need six shader texts of one variant', () => {
  const texts = [...CONV2D_CASES, ...MAX_POOL2D_CASES].flatMap(({ build }) =>
    planGraph(build()).steps.flatMap((step) => {
      const { activations, main } = selectKernels(step, DOT, ['dot4']);
      return activations === null ? [main.wgsl] : [activations.wgsl, main.wgsl];
    }),
  );
  // Activations of the image and of features; kernels of 1, of 3, and any; pooling.
  expect(new Set(texts).size).toBe(6);
});
