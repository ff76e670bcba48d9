/**
 * Compiles, before any pack is there, the pipelines that packs will ask for: a network of the kinds and sizes of steps that ours
 * have, whose weights mean nothing. Sizes are uniforms, so that its shaders' texts are theirs. Runs nothing.
 */
import type { Model, NormTensor, Shape, WeightTensor } from '../../model/types';
import type { Backend } from '../backend';
import { planGraph } from '../planner';

const CHANNELS = 80;
const GROWTH = 16;
const LANDMARKS = 68;
const HALF: Shape = [64, 64, CHANNELS];
const QUARTER: Shape = [32, 32, CHANNELS];

/** Never rejects: what does not compile here fails where it is needed, with its reason. */
export async function warmUp(engine: Backend): Promise<void> {
  try {
    const model = networkOfOurKind();
    (await engine.compile(model, planGraph(model))).close();
  } catch {
    // See above.
  }
}

/** Stem, pool, bottleneck, growth and head of a DU-Net. */
export function networkOfOurKind(): Model {
  const conv = { op: 'conv2d', stride: 1, kernel: 1, encoding: 'b1', shift: 2 } as const;
  const norm = { op: 'requantize', inputBits: 8 } as const;
  const [height, width] = QUARTER;
  return {
    manifest: {
      ...{ name: 'warm-up', task: 'none', license: '', landmarks: [], mirror: [], connections: [] },
      codec: { type: 'softmax', stride: 4, window: 9, scale: 1 },
      roi: { scale: 1, upright: null, presence: 0 },
      golden: { seed: 1, sha256: [] },
      ...{ evaluation: {}, data: [], recipe: '' },
    },
    graph: {
      input: { name: 'image', shape: [128, 128, 3], shift: 1 },
      outputs: ['head'],
      nodes: [
        {
          ...{ ...conv, inputs: ['image'], output: 'stem', weight: 'stem', encoding: 'i8' },
          ...{ kernel: 5, stride: 2, outChannels: CHANNELS },
        },
        { op: 'max_pool2d', inputs: ['stem'], output: 'pool' },
        { ...norm, inputs: ['pool'], output: 'neck.q', norm: 'neck' },
        {
          ...{ ...conv, inputs: ['neck.q'], output: 'neck', weight: 'neck' },
          outChannels: 4 * GROWTH,
        },
        { ...norm, inputs: ['neck'], output: 'grow.q', norm: 'grow' },
        {
          ...{ ...conv, inputs: ['grow.q'], output: 'grow', weight: 'grow' },
          ...{ kernel: 3, outChannels: GROWTH },
        },
        { ...norm, inputs: ['pool', 'grow'], output: 'head.q', norm: 'head' },
        {
          ...{ ...conv, inputs: ['head.q'], output: 'head', weight: 'head', encoding: 'i8' },
          outChannels: LANDMARKS,
        },
      ],
      shapes: new Map<string, Shape>([
        ['image', [128, 128, 3]],
        ['stem', HALF],
        ['pool', QUARTER],
        ['neck.q', QUARTER],
        ['neck', [height, width, 4 * GROWTH]],
        ['grow.q', [height, width, 4 * GROWTH]],
        ['grow', [height, width, GROWTH]],
        ['head.q', [height, width, CHANNELS + GROWTH]],
        ['head', [height, width, LANDMARKS]],
      ]),
    },
    weights: new Map<string, WeightTensor>([
      ['stem', weight('i8', CHANNELS, 5, 3)],
      ['neck', weight('b1', 4 * GROWTH, 1, CHANNELS)],
      ['grow', weight('b1', GROWTH, 3, 4 * GROWTH)],
      ['head', weight('i8', LANDMARKS, 1, CHANNELS + GROWTH)],
    ]),
    norms: new Map<string, NormTensor>([
      ['neck', zeroNorm(CHANNELS)],
      ['grow', zeroNorm(4 * GROWTH)],
      ['head', zeroNorm(CHANNELS + GROWTH)],
    ]),
    sha256: '',
    sizeBytes: 0,
  };
}

function weight(
  encoding: 'b1' | 'i8',
  outChannels: number,
  kernel: number,
  inChannels: number,
): WeightTensor {
  const count = outChannels * kernel * kernel * inChannels;
  const bytes = new Uint8Array(encoding === 'i8' ? count : Math.ceil(count / 8));
  return { encoding, outChannels, kernel, inChannels, bytes };
}

function zeroNorm(channels: number): NormTensor {
  return { multiplier: new Int16Array(channels), bias: new Int16Array(channels), shift: 0 };
}
