/**
 * Named convolution cases that kernels get wrong: odd sizes, lonely channels, sums past 16 bits, saturation at both ends,
 * negative multipliers, every encoding, concatenations with upsampled parts. Each is a whole small model, so that any
 * backend can run it. Expected values come from the reference engine, not from this table.
 */
import type { Encoding, Model } from '../../src/model/types';
import { ModelBuilder, type RequantizeOptions, type WeightRule } from '../helpers/model_builder';
import { Random } from '../helpers/random';

/** One case: a model whose last output is under test, and the bytes to run it on. */
export interface KernelCase {
  readonly name: string;
  readonly build: () => Model;
  /** RGB bytes, HWC, for the model's input. */
  readonly image: (model: Model) => Uint8Array;
}

interface ConvCase {
  readonly size?: readonly [number, number];
  /** Channels of each part of the concatenation; a negative number is an upsampled part (sizes must then be even). */
  readonly parts?: readonly number[];
  readonly outChannels?: number;
  readonly kernel?: number;
  readonly stride?: 1 | 2;
  readonly encoding?: Encoding;
  readonly weights?: WeightRule;
  readonly shift?: number;
  readonly norm?: RequantizeOptions;
}

const ENCODINGS: readonly Encoding[] = ['b1', 't2', 'i8'];

/** Activations all at the top of their range, whatever is read. */
const ALL_TOP: RequantizeOptions = { multiplier: () => 0, bias: () => 32767, shift: 8 };
const ONES: WeightRule = () => 1;
const MINUS_ONES: WeightRule = () => -1;

function randomRule(encoding: Encoding, seed: number): WeightRule {
  const random = new Random(seed);
  if (encoding === 'b1') return () => (random.chance(0.5) ? 1 : -1);
  if (encoding === 't2') return () => random.integer(-1, 1);
  return () => random.integer(-127, 127);
}

/** Multipliers of both signs and biases that spread activations over their whole range. */
function spreadNorm(seed: number, inputBits = 8): RequantizeOptions {
  const random = new Random(seed);
  return {
    inputBits,
    multiplier: () => random.integer(12000, 32767) * (random.chance(0.3) ? -1 : 1),
    bias: () => random.integer(-2000, 4000),
    shift: 14 - inputBits,
  };
}

function convModel(options: ConvCase, seed: number): Model {
  const { size = [6, 7], parts = [33], outChannels = 5, encoding = 'b1' } = options;
  const builder = new ModelBuilder(size[0], size[1]);
  let small: string | undefined;
  const features = parts.map((channels, index) => {
    const weights = randomRule('i8', seed + index);
    if (channels > 0) {
      return builder.conv(builder.image, { outChannels: channels, encoding: 'i8', weights });
    }
    small = builder.conv(builder.image, {
      outChannels: -channels,
      stride: 2,
      encoding: 'i8',
      weights,
    });
    return builder.upsample(small);
  });
  const activation = builder.requantize(features, options.norm ?? spreadNorm(seed + 50));
  const output = builder.conv(activation, {
    outChannels,
    encoding,
    kernel: options.kernel ?? 1,
    stride: options.stride ?? 1,
    weights: options.weights ?? randomRule(encoding, seed + 99),
    ...(options.shift === undefined ? {} : { shift: options.shift }),
  });
  return builder.build([output]);
}

function imageModel(size: readonly [number, number], inputShift: number, conv: ConvCase): Model {
  const builder = new ModelBuilder(size[0], size[1], inputShift);
  const encoding = conv.encoding ?? 'i8';
  const output = builder.conv(builder.image, {
    kernel: conv.kernel ?? 7,
    stride: conv.stride ?? 2,
    outChannels: conv.outChannels ?? 9,
    encoding,
    weights: conv.weights ?? randomRule(encoding, inputShift),
    ...(conv.shift === undefined ? {} : { shift: conv.shift }),
  });
  return builder.build([output]);
}

function randomImage(model: Model): Uint8Array {
  const [height, width, channels] = model.graph.input.shape;
  return new Random(height * 1000 + width).bytes(height * width * channels);
}

function filledImage(value: number): KernelCase['image'] {
  return (model) => randomImage(model).fill(value);
}

function* tableRows(): Generator<[name: string, options: ConvCase]> {
  const sizes = [
    [1, 1],
    [1, 7],
    [7, 1],
    [2, 3],
    [5, 5],
    [9, 15],
    [16, 16],
    [13, 31],
  ] as const;
  for (const size of sizes) {
    for (const kernel of [1, 3, 7]) {
      yield [`${size.join('x')}, kernel ${kernel}`, { size, kernel, outChannels: 17 }];
    }
  }
  for (const channels of [
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 64, 65, 96, 100,
  ]) {
    yield [`${channels} channels in`, { parts: [channels], kernel: 3, outChannels: 16 }];
  }
  for (const outChannels of [1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 31, 32, 33, 64, 68]) {
    yield [`${outChannels} channels out`, { parts: [16], kernel: 3, outChannels }];
  }
  for (const encoding of ENCODINGS) {
    for (const size of [
      [1, 1],
      [2, 2],
      [5, 8],
      [8, 5],
      [9, 9],
    ] as const) {
      for (const kernel of [1, 3, 5, 7]) {
        yield [
          `stride 2, ${size.join('x')}, kernel ${kernel}, ${encoding}`,
          { size, kernel, stride: 2, encoding, parts: [11] },
        ];
      }
    }
  }
  for (let inputBits = 2; inputBits <= 8; inputBits++) {
    for (const encoding of ENCODINGS) {
      yield [
        `${inputBits}-bit inputs, ${encoding}`,
        { kernel: 3, encoding, norm: spreadNorm(inputBits, inputBits), outChannels: 16 },
      ];
    }
  }
  yield* sumRows();
  yield* normRows();
  yield* concatRows();
}

/** Sums that overflow 16-bit or 8-bit partial accumulators, and sums that saturate. */
function* sumRows(): Generator<[name: string, options: ConvCase]> {
  for (const terms of [2, 129, 256, 257, 258, 259, 260, 288, 515, 516, 517, 1040]) {
    for (const [sign, weights] of [
      ['+1', ONES],
      ['-1', MINUS_ONES],
    ] as const) {
      for (const encoding of ['b1', 't2'] as const) {
        const rest = { parts: [terms], size: [2, 3], norm: ALL_TOP, encoding, weights } as const;
        yield [`K ${terms}, all ${sign}, activations 127, ${encoding}`, rest];
      }
    }
    yield [`K ${terms}, random signs, shift 0`, { parts: [terms], size: [3, 3], shift: 0 }];
  }
  for (const channels of [28, 29, 57, 64, 80]) {
    const rest = { parts: [channels], kernel: 3, norm: ALL_TOP, weights: ONES } as const;
    yield [`3x3 over ${channels} channels, all +1, activations 127`, rest];
  }
  for (const weight of [127, -127]) {
    for (const kernel of [1, 3, 7]) {
      const rest = { encoding: 'i8', norm: ALL_TOP, kernel, weights: () => weight } as const;
      yield [`i8 all ${weight}, activations 127, kernel ${kernel}`, rest];
      yield [`i8 all ${weight}, saturating, kernel ${kernel}`, { ...rest, shift: 0 }];
    }
  }
  const alternating: WeightRule = (index) => (index % 2 === 0 ? 127 : -127);
  yield [
    'i8 alternating +-127',
    { encoding: 'i8', norm: ALL_TOP, kernel: 3, weights: alternating },
  ];
  for (const encoding of ENCODINGS) {
    for (const shift of [0, 1, 8, 15, 16]) {
      yield [`shift ${shift}, ${encoding}`, { encoding, shift, kernel: 3, parts: [40] }];
    }
  }
}

/** Requantization at its edges. */
function* normRows(): Generator<[name: string, options: ConvCase]> {
  const norms: Readonly<Record<string, RequantizeOptions>> = {
    'all multipliers negative': { multiplier: (c) => -32767 + 99 * c, bias: () => 500, shift: 6 },
    'multipliers 0': { multiplier: () => 0, bias: (c) => 61 * c - 900, shift: 3 },
    'multipliers 1 and -1': { multiplier: (c) => 1 - 2 * (c % 2), bias: (c) => c % 3 },
    'bias saturates upwards': { bias: (c) => 32767 - 300 * c, shift: 8 },
    'bias saturates downwards': {
      multiplier: () => -32767,
      bias: (c) => 300 * c - 32768,
      shift: 1,
    },
    'bias +-32768, shift 15': { bias: (c) => (c % 2 === 0 ? 32767 : -32768), shift: 15 },
    'shift 0': { multiplier: (c) => 40 * c - 600, bias: (c) => c },
    'shift 15': { bias: () => 32767, shift: 15 },
  };
  for (const [name, norm] of Object.entries(norms)) {
    for (const kernel of [1, 3]) {
      yield [`${name}, kernel ${kernel}`, { norm, kernel, outChannels: 16, size: [5, 6] }];
    }
  }
}

/** Concatenations; part widths that are no multiple of any vector, and parts that are read upsampled. */
function* concatRows(): Generator<[name: string, options: ConvCase]> {
  const lists = [
    [1, 1],
    [3, 5, 33],
    [16, 16, 16],
    [64, 16, 16, 16],
    [-8],
    [-3, 5],
    [17, -31, 2],
    [-64, 64],
    [-1, -1, -1],
  ];
  for (const parts of lists) {
    for (const [kernel, stride] of [
      [1, 1],
      [3, 1],
      [3, 2],
    ] as const) {
      yield [
        `parts ${parts.join(' ')}, kernel ${kernel}, stride ${stride}`,
        { parts, kernel, stride, size: [6, 10], outChannels: 20 },
      ];
    }
  }
  yield ['64 to 64, 1x1, 16x16', { parts: [64], outChannels: 64, size: [16, 16] }];
  yield ['64 to 16, 3x3, 16x16', { parts: [64], outChannels: 16, kernel: 3, size: [16, 16] }];
  yield ['i8 head of 68', { parts: [64], outChannels: 68, encoding: 'i8', size: [8, 8] }];
}

function* imageRows(): Generator<KernelCase> {
  const sizes = [
    [1, 1],
    [7, 7],
    [8, 8],
    [9, 16],
    [17, 13],
  ] as const;
  for (const size of sizes) {
    for (const stride of [1, 2] as const) {
      for (const encoding of ENCODINGS) {
        yield {
          name: `image ${size.join('x')}, 7x7, stride ${stride}, ${encoding}`,
          build: () => imageModel(size, 1, { stride, encoding }),
          image: randomImage,
        };
      }
    }
  }
  for (let inputShift = 1; inputShift <= 7; inputShift++) {
    yield {
      name: `image >> ${inputShift}`,
      build: () => imageModel([6, 5], inputShift, { kernel: 3, stride: 1 }),
      image: randomImage,
    };
  }
  for (const weight of [127, -127]) {
    for (const shift of [0, 6]) {
      yield {
        name: `white image, i8 all ${weight}, shift ${shift}`,
        build: () => imageModel([9, 9], 1, { weights: () => weight, shift }),
        image: filledImage(255),
      };
    }
  }
  yield { name: 'black image', build: () => imageModel([9, 9], 1, {}), image: filledImage(0) };
}

export const CONV2D_CASES: readonly KernelCase[] = [
  ...[...tableRows()].map(([name, options], index) => ({
    name,
    build: () => convModel(options, index + 1),
    image: randomImage,
  })),
  ...imageRows(),
];
