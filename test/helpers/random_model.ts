/**
 * Random valid models for property tests: every op, encoding and awkward size the contract allows, small enough to run
 * hundreds of them. Runs in Node and in browsers.
 */
import fc from 'fast-check';
import { shapeLength } from '../../src/model/graph';
import {
  conv2d,
  imageActivations,
  maxPool2d,
  requantize,
  upsample2d,
  type Activations,
  type Feature,
} from '../../src/model/numerics';
import type { Encoding, Model, NormTensor } from '../../src/model/types';
import { unpackWeights, weightCount } from '../../src/model/weights';
import { ModelBuilder, smallestShift, type WeightRule } from './model_builder';
import { Random } from './random';

const SIDE_LIMIT = 22;
/** Keeps a plain-loop run of one model near ten milliseconds. */
const WORK_LIMIT = 400_000;

/** The same model for the same seed; `steps` (1 or more) is the number of ops tried after the stem. */
export function randomModel(seed: number, steps = 7): Model {
  return new RandomGraph(new Random(seed)).draw(steps);
}

/** Random models for fast-check; shrinks towards fewer ops. */
export function modelArbitrary(): fc.Arbitrary<Model> {
  return fc
    .record({ seed: fc.nat(), steps: fc.integer({ min: 1, max: 12 }) })
    .map(({ seed, steps }) => randomModel(seed, steps));
}

/** Image bytes for a model's input. Every few seeds give all black or all white. */
export function randomImage(model: Model, seed: number): Uint8Array {
  const [height, width, channels] = model.graph.input.shape;
  const length = height * width * channels;
  if (seed % 16 === 15) return new Uint8Array(length).fill(seed % 32 === 31 ? 255 : 0);
  return new Random(seed).bytes(length);
}

/** A rule for all weights of one convolution: uniform, extreme, or all the same. */
export function randomWeights(random: Random, encoding: Encoding): WeightRule {
  const style = random.integer(0, 11);
  if (style === 0) return () => (encoding === 'i8' ? 127 : 1);
  if (style === 1) return () => (encoding === 'i8' ? -127 : -1);
  if (encoding === 'b1') return () => (random.chance(0.5) ? 1 : -1);
  if (encoding === 't2') return () => random.integer(-1, 1);
  if (style === 2) return () => random.pick([-127, 127]);
  const largest = random.pick([3, 40, 127]);
  return () => random.integer(-largest, largest);
}

/** A norm for one requantize node; `share` names the parameter if it exists already. */
interface DrawnNorm {
  readonly norm: NormTensor;
  readonly inputBits: number;
  readonly share?: string;
}

/**
 * Multipliers, biases and shift of one norm: usual ones, tiny, huge, negative, saturating. `largest` is the largest
 * magnitude it will read; most norms bring that to the top of their range, so that values live through deep graphs.
 */
export function randomNorm(random: Random, channels: number, largest: number): DrawnNorm {
  const inputBits = random.pick([2, 3, 4, 5, 6, 7, 8, 8, 8]);
  const style = random.integer(0, 14);
  // Usually a multiplier that leaves a few bits of what it reads.
  const useful = [400, 9000, 32767].filter((most) => style === 3 || largest * most >= 2 ** 19);
  const largestMultiplier = useful.length > 0 ? random.pick(useful) : 32767;
  const scaled = Math.ceil((largest * largestMultiplier) / 32768);
  const usualBias = random.pick([0, scaled >> 2, Math.max(40, scaled)]);
  const largestBias = style === 0 ? 32767 : Math.min(32767, usualBias);
  const top = Math.min(32767, scaled + largestBias);
  const fitting = Math.max(0, bitLength(top) - inputBits + random.integer(-1, 1));
  const multiplier = (): number =>
    random.integer(-largestMultiplier, style === 1 ? 0 : largestMultiplier);
  const bias = (): number => random.integer(-largestBias, largestBias);
  return {
    inputBits,
    norm: {
      multiplier: Int16Array.from({ length: channels }, multiplier),
      bias: Int16Array.from({ length: channels }, bias),
      shift: style === 2 ? random.integer(0, 15) : fitting,
    },
  };
}

function bitLength(value: number): number {
  return 32 - Math.clz32(value);
}

function largestMagnitude(data: Int16Array): number {
  return data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

class RandomGraph {
  private readonly random: Random;
  private readonly builder: ModelBuilder;
  /** Outputs of conv2d; the heads are chosen among them. */
  private readonly convs: string[] = [];
  /** What pools and upsampling may read. */
  private readonly stored: string[] = [];
  /** What requantization may read. */
  private readonly features: string[] = [];
  private readonly activations: string[] = [];
  /** Every tensor for one random image, to choose shifts that keep values apart. */
  private readonly values = new Map<string, Feature>();
  private readonly quantized = new Map<string, Activations>();
  private work = 0;

  constructor(random: Random) {
    this.random = random;
    const side = (): number =>
      random.chance(0.4)
        ? random.pick([4, 8, 12, 16, 20])
        : random.integer(1, random.pick([3, 9, SIDE_LIMIT]));
    const shift = random.pick([1, 1, 1, 2, 4, 7]);
    this.builder = new ModelBuilder(side(), side(), shift);
    const shape = this.builder.shape(this.builder.image);
    const image = random.bytes(shapeLength(shape));
    this.quantized.set(this.builder.image, imageActivations(image, shape, shift));
  }

  draw(steps: number): Model {
    this.conv(this.builder.image);
    for (let step = 0; step < steps; step++) this.step();
    const head = this.conv(this.requantize()) ?? this.lastConv();
    return this.builder.build(this.outputs(head));
  }

  private step(): void {
    const { random } = this;
    const choice = random.integer(0, 9);
    if (choice === 0) this.conv(this.builder.image);
    else if (choice <= 2) this.pool();
    else if (choice <= 4) this.upsample();
    else if (choice === 5 && this.activations.length > 0) this.conv(random.pick(this.activations));
    else this.conv(this.requantize());
  }

  private pool(): void {
    const even = this.stored.filter((name) => {
      const [height, width] = this.builder.shape(name);
      return height % 2 === 0 && width % 2 === 0;
    });
    if (even.length === 0) return;
    const input = this.random.pick(even);
    const output = this.builder.maxPool(input);
    this.values.set(output, maxPool2d(this.value(input)));
    this.stored.push(output);
    this.features.push(output);
  }

  private upsample(): void {
    const small = this.stored.filter((name) => {
      const [height, width] = this.builder.shape(name);
      return height * 2 <= SIDE_LIMIT && width * 2 <= SIDE_LIMIT;
    });
    if (small.length === 0) return;
    const input = this.random.pick(small);
    const output = this.builder.upsample(input);
    this.values.set(output, upsample2d(this.value(input)));
    this.features.push(output);
  }

  /** Requantizes a recent feature, concatenated with up to three others of its size. */
  private requantize(): string {
    const { random, builder } = this;
    const first = random.pick(this.features.slice(-3));
    const [height, width] = builder.shape(first);
    const peers = this.features.filter((name) => {
      const shape = builder.shape(name);
      return shape[0] === height && shape[1] === width;
    });
    const inputs = [first];
    for (let extra = random.integer(0, 3); extra > 0; extra--) inputs.push(random.pick(peers));
    const parts = inputs.map((name) => this.value(name));
    const { norm, inputBits, share, activations } = this.liveNorm(parts);
    const output = builder.requantize(inputs, {
      inputBits,
      multiplier: (channel) => norm.multiplier[channel] ?? 0,
      bias: (channel) => norm.bias[channel] ?? 0,
      shift: norm.shift,
      ...(share === undefined ? {} : { share }),
    });
    this.quantized.set(output, activations);
    this.activations.push(output);
    return output;
  }

  /** A new or known norm; drawn again a few times when it turns everything into one value. */
  private liveNorm(parts: readonly Feature[]): DrawnNorm & { activations: Activations } {
    const channels = parts.reduce((sum, part) => sum + part.shape[2], 0);
    const largest = Math.max(...parts.map(({ data }) => largestMagnitude(data)));
    for (let attempt = 1; ; attempt++) {
      const drawn = this.norm(channels, largest);
      const activations = requantize(parts, drawn.norm, drawn.inputBits);
      if (new Set(activations.data).size > 1 || attempt === 4) return { ...drawn, activations };
    }
  }

  private norm(channels: number, largest: number): DrawnNorm {
    const { random } = this;
    const alike = [...this.builder.norms].find(([, { bias }]) => bias.length === channels);
    if (alike === undefined || random.chance(0.8)) return randomNorm(random, channels, largest);
    return { norm: alike[1], share: alike[0], inputBits: random.integer(2, 8) };
  }

  /** Adds a convolution unless it would take too long. */
  private conv(input: string): string | undefined {
    const { random, builder } = this;
    const [height, width, inChannels] = builder.shape(input);
    const shared = [...builder.weights].find(([, weight]) => weight.inChannels === inChannels);
    const share = shared !== undefined && random.chance(0.25) ? shared[0] : undefined;
    const { encoding, kernel, outChannels } = builder.weights.get(share ?? '') ?? this.layout();
    const stride = random.chance(0.2) ? 2 : 1;
    const work =
      weightCount({ outChannels, kernel, inChannels }) *
      Math.ceil(height / stride) *
      Math.ceil(width / stride);
    if (this.work + work > WORK_LIMIT && this.convs.length > 0) return undefined;
    this.work += work;
    const rule = randomWeights(random, encoding);
    const fresh = Int8Array.from(
      { length: weightCount({ outChannels, kernel, inChannels }) },
      (_, index) => rule(index),
    );
    const known = builder.weights.get(share ?? '');
    const weights = known === undefined ? fresh : unpackWeights(known);
    const geometry = { kernel, stride, outChannels } as const;
    const activations = this.quantized.get(input);
    if (activations === undefined) throw new Error(`no activations ${input}`);
    const safe = smallestShift(kernel * kernel * inChannels, encoding, 127);
    const largest = largestMagnitude(
      conv2d(activations, weights, { ...geometry, shift: safe }).data,
    );
    const shift = this.convShift(safe, largest);
    const output = builder.conv(input, {
      ...geometry,
      encoding,
      shift,
      weights: (index) => weights[index] ?? 0,
      ...(share === undefined ? {} : { share }),
    });
    this.values.set(output, conv2d(activations, weights, { ...geometry, shift }));
    this.convs.push(output);
    this.stored.push(output);
    this.features.push(output);
    return output;
  }

  private layout(): { encoding: Encoding; kernel: number; outChannels: number } {
    const { random } = this;
    return {
      encoding: random.pick<Encoding>(['b1', 'b1', 't2', 'i8']),
      kernel: random.pick([1, 1, 3, 3, 5, 7]),
      outChannels: random.pick([1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 32, 33, 40]),
    };
  }

  /**
   * The exporters' shift; the one that uses all 16 bits for the actual sums, at times less, so that sums saturate; or any.
   */
  private convShift(safe: number, largest: number): number {
    const style = this.random.integer(0, 9);
    if (style <= 2) return safe;
    if (style === 3) return this.random.integer(0, 16);
    return Math.max(0, safe - (15 - bitLength(largest)) - this.random.pick([0, 1, 2, 3]));
  }

  private value(name: string): Feature {
    const feature = this.values.get(name);
    if (feature === undefined) throw new Error(`no feature ${name}`);
    return feature;
  }

  private outputs(head: string): readonly string[] {
    const shape = this.builder.shape(head).join();
    const alike = this.convs.filter(
      (name) => name !== head && this.builder.shape(name).join() === shape,
    );
    return [...alike.slice(0, this.random.integer(0, 2)), head];
  }

  private lastConv(): string {
    return this.random.pick(this.convs.slice(-1));
  }
}
