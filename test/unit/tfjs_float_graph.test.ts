/**
 * The float form of graphs on stock tfjs kernels against the integer heatmaps. The two differ by what the integers round
 * away; the bound on that is derived below, per channel, and no value may leave it.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { createFloatGraph } from '../../src/engine/tfjs/float_graph';
import type { Model } from '../../src/model/types';
import { unpackWeights } from '../../src/model/weights';
import { ModelBuilder } from '../helpers/model_builder';
import { Random } from '../helpers/random';

beforeAll(() => tf.setBackend('cpu'));

/**
 * Largest difference per channel between integer and float values of each tensor, in the worst case:
 *   image >> shift    floor takes 0 .. 2^shift - 1 before the division; float takes the mean: (2^shift - 1) / 2 / 2^shift
 *   conv2d            sum of |w| * error of what it reads, / 2^t, and 1/2 for rounding
 *   requantise        |m| / 2^15 * error of what it reads, 1/2 for rounding, (2^s - 1) / 2 for the floor, all / 2^s;
 *                     clipping brings values no further apart
 *   pool, upsample    the error of what they read
 */
function worstErrors(model: Model): ReadonlyMap<string, readonly number[]> {
  const { graph, weights, norms } = model;
  const floorError = (shift: number): number => (2 ** shift - 1) / 2;
  const { name, shape, shift } = graph.input;
  const errors = new Map<string, readonly number[]>([
    [name, Array.from({ length: shape[2] }, () => floorError(shift) / 2 ** shift)],
  ]);
  const of = (tensor: string): readonly number[] => errors.get(tensor) ?? [NaN];
  for (const node of graph.nodes) {
    if (node.op === 'conv2d') {
      const weight = weights.get(node.weight);
      if (weight === undefined) throw new Error(`no weight ${node.weight}`);
      const values = unpackWeights(weight);
      const rows = weight.kernel ** 2 * weight.inChannels;
      const input = of(node.inputs[0]);
      const sums = Array.from({ length: weight.outChannels }, (_, output) =>
        values
          .subarray(output * rows, (output + 1) * rows)
          .reduce((sum, w, row) => sum + Math.abs(w) * (input[row % input.length] ?? NaN), 0),
      );
      errors.set(
        node.output,
        sums.map((sum) => sum / 2 ** node.shift + 0.5),
      );
    } else if (node.op === 'requantize') {
      const norm = norms.get(node.norm);
      if (norm === undefined) throw new Error(`no norm ${node.norm}`);
      errors.set(
        node.output,
        node.inputs.flatMap(of).map((error, channel) => {
          const scaled = (Math.abs(norm.multiplier[channel] ?? NaN) / 32768) * error;
          return (scaled + 0.5 + floorError(norm.shift)) / 2 ** norm.shift;
        }),
      );
    } else {
      errors.set(node.output, of(node.inputs[0]));
    }
  }
  return errors;
}

/** Every op: stem, pool, upsampled part, concatenation, all encodings, strides, a kernel of 5. */
function everyOp(seed: number): Model {
  const random = new Random(seed);
  const builder = new ModelBuilder(12, 20);
  const sign = (): number => (random.chance(0.5) ? 1 : -1);
  const i8 = (): number => random.integer(-127, 127);
  const stem = builder.conv(builder.image, {
    outChannels: 7,
    kernel: 5,
    stride: 2,
    encoding: 'i8',
    weights: i8,
    shift: 5,
  });
  const pooled = builder.maxPool(
    builder.conv(builder.image, {
      outChannels: 5,
      encoding: 'i8',
      weights: i8,
      shift: 1,
    }),
  );
  const up = builder.upsample(
    builder.conv(builder.requantize([pooled], { shift: 7, bias: () => 9000 }), {
      outChannels: 4,
      stride: 2,
      kernel: 3,
      encoding: 't2',
      weights: () => random.integer(-1, 1),
      shift: 0,
    }),
  );
  const norm = {
    multiplier: () => random.integer(8000, 32767) * sign(),
    bias: () => random.integer(-300, 900),
    shift: 4,
  };
  const joined = builder.requantize([stem, up, pooled], norm);
  const neck = builder.conv(joined, { outChannels: 9, kernel: 3, weights: sign, shift: 0 });
  return builder.build([
    builder.conv(builder.requantize([neck, up], { ...norm, inputBits: 6 }), {
      outChannels: 6,
      encoding: 'i8',
      weights: i8,
      shift: 3,
    }),
  ]);
}

async function compare(model: Model, seed: number) {
  const shape = model.graph.input.shape;
  const bytes = new Random(seed).bytes(shape[0] * shape[1] * shape[2]);
  const reference = await (await createReferenceBackend()).compile(model, planGraph(model));
  const integers = await reference.run({ kind: 'crop', data: bytes });
  const graph = createFloatGraph(model);
  const image = tf.tensor3d(Int32Array.from(bytes), [...shape], 'int32');
  const heatmaps = graph.run(image);
  const floats = await heatmaps.data();
  tf.dispose([image, heatmaps]);
  graph.dispose();
  expect(heatmaps.shape).toEqual([integers.height, integers.width, integers.channels]);
  return { integers, floats };
}

test.each([1, 2, 3, 4, 5])(
  'stays within the rounding errors of the integers, seed %i',
  async (seed) => {
    const model = everyOp(seed);
    const output = model.graph.outputs[0] ?? '';
    const bounds = worstErrors(model).get(output) ?? [];
    const { integers, floats } = await compare(model, seed);
    const range = Math.max(...integers.data) - Math.min(...integers.data);
    // A bound as wide as the values would accept anything.
    expect(Math.max(...bounds)).toBeLessThan(range);
    const differences = [...integers.data].map((value, index) =>
      Math.abs(value - (floats[index] ?? NaN)),
    );
    differences.forEach((difference, index) => {
      expect(difference).toBeLessThanOrEqual((bounds[index % integers.channels] ?? NaN) + 0.01);
    });
    // Rounding errors are spread and cancel: the mean square lies far below the worst case.
    const rms = Math.hypot(...differences) / Math.sqrt(differences.length);
    expect(rms).toBeLessThan(Math.max(...bounds) / 4);
  },
);

test('equals the integers where nothing is rounded', async () => {
  const builder = new ModelBuilder(6, 6);
  const head = builder.conv(builder.image, {
    outChannels: 5,
    kernel: 3,
    encoding: 'i8',
    weights: (index) => (index % 11) - 5,
    shift: 0,
  });
  const model = builder.build([head]);
  const evenImage = Int32Array.from({ length: 108 }, (_, index) => ((index * 29) % 127) * 2);
  const reference = await (await createReferenceBackend()).compile(model, planGraph(model));
  const { data } = await reference.run({ kind: 'crop', data: Uint8Array.from(evenImage) });
  const graph = createFloatGraph(model);
  // An even byte is halved exactly; float takes half a unit off for the floor, which odd bytes need: add it back.
  const image = tf.tensor3d(
    Float32Array.from(evenImage, (v) => v + 0.5),
    [6, 6, 3],
  );
  const heatmaps = graph.run(image);
  expect(Array.from(await heatmaps.data(), Math.round)).toEqual([...data]);
  tf.dispose([image, heatmaps]);
  graph.dispose();
});

test('leaks no tensors and prunes what the output does not need', () => {
  const model = everyOp(1);
  const before = tf.memory().numTensors;
  const graph = createFloatGraph(model);
  const parameters = tf.memory().numTensors - before;
  expect(parameters).toBe(4 + 1 + 3 * 2);
  const image = tf.zeros<tf.Rank.R3>([...model.graph.input.shape], 'int32');
  const first = graph.run(image);
  const second = graph.run(image);
  expect(tf.memory().numTensors).toBe(before + parameters + 3);
  tf.dispose([image, first, second]);
  graph.dispose();
  expect(tf.memory().numTensors).toBe(before);
  const stemOnly = createFloatGraph(model, model.graph.nodes[0]?.output);
  expect(tf.memory().numTensors).toBe(before + 1);
  stemOnly.dispose();
});
