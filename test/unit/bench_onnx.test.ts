/**
 * The ONNX files of the benchmark on onnxruntime-web, against the float graph on tfjs: float32 must agree but for the order
 * of sums, int8 as far as eight bits of a feature go.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { env, InferenceSession } from 'onnxruntime-web';
import { beforeAll, describe, expect, it } from 'vitest';
import { calibrate, imageTensor } from '../../bench/onnx/calibrate';
import {
  convolutionNames,
  exportFloat32,
  exportInt8,
  ONNX_INPUT,
} from '../../bench/onnx/export_onnx';
import { createFloatGraph } from '../../src/engine/tfjs/float_graph';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { ModelBuilder } from '../helpers/model_builder';
import { Random } from '../helpers/random';

beforeAll(async () => {
  await tf.setBackend('cpu');
  env.wasm.numThreads = 1;
});

/** Every op: an upsampled part in a concatenation, a pooled feature, two strides, weights of one bit and of eight. */
function everyOp(): Model {
  const random = new Random(3);
  const builder = new ModelBuilder(16, 24);
  const sign = (): number => (random.chance(0.5) ? 1 : -1);
  const stem = builder.conv(builder.image, {
    ...{ outChannels: 8, kernel: 5, stride: 2, encoding: 'i8' },
    weights: () => random.integer(-127, 127),
  });
  const norm = {
    multiplier: () => random.integer(-3000, 12000),
    bias: () => random.integer(-500, 2000),
    shift: 3,
  };
  const low = builder.conv(builder.requantize([builder.maxPool(stem)], norm), {
    ...{ outChannels: 6, kernel: 3, encoding: 'b1', weights: sign },
  });
  const joined = builder.requantize([builder.upsample(low), stem], norm);
  const head = builder.conv(joined, { outChannels: 5, kernel: 1, encoding: 'b1', weights: sign });
  return builder.build([head]);
}

function randomCrop({ graph }: Model): Uint8Array {
  const random = new Random(7);
  const [height, width, channels] = graph.input.shape;
  return Uint8Array.from({ length: height * width * channels }, () => random.integer(0, 255));
}

/** Heatmaps, HWC, of the float graph on tfjs. */
function expectedOf(model: Model, crop: Uint8Array): Float32Array {
  return tf.tidy(() => {
    const image = tf.tensor3d(crop, [...model.graph.input.shape], 'int32');
    return createFloatGraph(model).run(image).dataSync<'float32'>();
  });
}

/** The same of an ONNX file. */
async function heatmapsOf(file: Uint8Array, model: Model, crop: Uint8Array): Promise<Float32Array> {
  const session = await InferenceSession.create(file);
  const [output] = Object.values(await session.run({ [ONNX_INPUT]: imageTensor(crop, model) }));
  await session.release();
  if (output === undefined) throw new Error('no output');
  const [, channels = 0, height = 0, width = 0] = output.dims;
  const area = height * width;
  const data = output.data as Float32Array;
  return data.map((_, i) => data[(i % channels) * area + Math.floor(i / channels)] ?? NaN);
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

describe.each([
  ['every op', () => Promise.resolve(everyOp())],
  [
    'the face pack',
    async () => parsePack(await readFile(new URL('../../models/face.bitmarks', import.meta.url))),
  ],
])('%s', (_, load) => {
  it('gives the heatmaps of the float graph in float32', async () => {
    const model = await load();
    const crop = randomCrop(model);
    const expected = expectedOf(model, crop);
    const actual = await heatmapsOf(exportFloat32(model), model, crop);
    expect(largest(expected)).toBeGreaterThan(20);
    expect(actual).toHaveLength(expected.length);
    const error = largest(actual.map((value, i) => value - (expected[i] ?? NaN)));
    expect(error / largest(expected)).toBeLessThan(1e-4);
  });

  it('gives them in int8 within what eight bits leave', async () => {
    const model = await load();
    const crop = randomCrop(model);
    const expected = expectedOf(model, crop);
    const ranges = await calibrate(model, [crop]);
    expect([...ranges.keys()]).toEqual(convolutionNames(model));
    const actual = await heatmapsOf(exportInt8(model, ranges), model, crop);
    const differences = actual.map((value, i) => value - (expected[i] ?? NaN));
    const squares = (values: Float32Array): number => values.reduce((sum, v) => sum + v * v, 0);
    expect(squares(differences) / squares(expected)).toBeLessThan(0.02);
  });

  it('refuses int8 without ranges', async () => {
    const model = await load();
    expect(() => exportInt8(model, new Map())).toThrow('no range');
  });
});
