/** Every rule of the graph contract, broken one at a time, and the shapes that parseGraph computes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BitmarksError } from '../../src/errors';
import { parseGraph } from '../../src/model/graph';
import { graphToJson } from '../helpers/pack_writer';
import { modelArbitrary } from '../helpers/random_model';

type Json = Record<string, unknown>;

const input: Json = { name: 'image', shape: [16, 12, 3], shift: 1 };
const stem: Json = {
  op: 'conv2d',
  inputs: ['image'],
  output: 'stem',
  weight: 'stem.w',
  kernel: 7,
  stride: 2,
  outChannels: 4,
  encoding: 'i8',
  shift: 6,
};
const pool: Json = { op: 'max_pool2d', inputs: ['stem'], output: 'pool' };
const up: Json = { op: 'upsample2d', inputs: ['pool'], output: 'up' };
const requantize: Json = {
  op: 'requantize',
  inputs: ['up', 'stem'],
  output: 'q',
  norm: 'n',
  inputBits: 8,
};
const head: Json = {
  ...stem,
  inputs: ['q'],
  output: 'head',
  weight: 'head.w',
  kernel: 1,
  stride: 1,
};
const nodes = [stem, pool, { ...up }, requantize, head];
const valid: Json = { format: 'bitmarks-graph/1', input, outputs: ['head'], nodes };

/** The valid graph with fields of one node replaced. */
function withNode(index: number, fields: Json): Json {
  return { ...valid, nodes: nodes.map((node, i) => (i === index ? { ...node, ...fields } : node)) };
}

/** The valid graph with nodes added at the end. */
function withMore(...more: Json[]): Json {
  return { ...valid, nodes: [...nodes, ...more] };
}

function problemOf(json: unknown): BitmarksError {
  try {
    parseGraph(json);
  } catch (error) {
    if (error instanceof BitmarksError) return error;
    throw error;
  }
  throw new Error('the graph was accepted');
}

test('computes the shape of every tensor', () => {
  const graph = parseGraph(valid);
  expect(Object.fromEntries(graph.shapes)).toEqual({
    image: [16, 12, 3],
    stem: [8, 6, 4],
    pool: [4, 3, 4],
    up: [8, 6, 4],
    q: [8, 6, 8],
    head: [8, 6, 4],
  });
  expect(graph.outputs).toEqual(['head']);
  expect(graph.nodes).toEqual(nodes);
});

test('stride 2 rounds up and ignores what training adds', () => {
  const json = {
    ...valid,
    input: { ...input, shape: [15, 1, 3] },
    supervised: ['stem'],
    nodes: [stem],
    outputs: ['stem'],
  };
  expect(parseGraph(json).shapes.get('stem')).toEqual([8, 1, 4]);
});

test('accepts every random graph and reads back what was written', () => {
  fc.assert(
    fc.property(modelArbitrary(), ({ graph }) => {
      const json: unknown = JSON.parse(JSON.stringify(graphToJson(graph)));
      expect(parseGraph(json)).toEqual(graph);
    }),
    { numRuns: 50 },
  );
});

describe('another format', () => {
  test('of this family is a version error', () => {
    const { code, message } = problemOf({ ...valid, format: 'bitmarks-graph/2' });
    expect(code).toBe('pack/version');
    expect(message).toBe(
      'graph.format is "bitmarks-graph/2", this build reads "bitmarks-graph/1"; update Bitmarks or export the model again',
    );
  });

  test.each([undefined, 'graph/1', 1])('such as %j is malformed', (format) => {
    expect(problemOf({ ...valid, format }).code).toBe('graph/malformed');
  });
});

describe('a broken rule names the place, what was found and what was expected', () => {
  const wide: Json[] = Array.from({ length: 17 }, (_, i) => ({
    ...stem,
    outChannels: 256,
    output: `w${i}`,
    weight: `w${i}`,
  }));
  const cases: [name: string, json: unknown, message: string | RegExp][] = [
    ['not an object', [], 'graph is an array of 0, expected an object'],
    [
      'no nodes',
      { ...valid, nodes: [] },
      /^graph.nodes is an array of 0, expected an array of 1 to/,
    ],
    [
      'too many nodes',
      { ...valid, nodes: Array.from({ length: 5000 }, () => stem) },
      /graph.nodes is an array of 5000/,
    ],
    [
      'inherited field',
      { ...valid, input: { ...input, shift: undefined } },
      'graph.input.shift is nothing, expected an integer from 1 to 7',
    ],
    ['shift 0', { ...valid, input: { ...input, shift: 0 } }, /graph.input.shift is 0/],
    [
      'gray input',
      { ...valid, input: { ...input, shape: [8, 8, 1] } },
      'graph.input.shape[2] is 1, expected an integer from 3 to 3',
    ],
    [
      'huge input',
      { ...valid, input: { ...input, shape: [1e9, 8, 3] } },
      /graph.input.shape\[0\] is 1000000000/,
    ],
    [
      'fractional input',
      { ...valid, input: { ...input, shape: [8.5, 8, 3] } },
      /is 8.5, expected an integer/,
    ],
    [
      'empty name',
      { ...valid, input: { ...input, name: '' } },
      'graph.input.name is an empty string, expected a name',
    ],
    [
      'unknown op',
      withNode(1, { op: 'add' }),
      'graph.nodes[1].op is "add", expected conv2d, requantize, max_pool2d or upsample2d',
    ],
    ['op of an object', withNode(1, { op: 'constructor' }), /op is "constructor"/],
    [
      'even kernel',
      withNode(0, { kernel: 4 }),
      'graph.nodes[0].kernel is 4, expected an odd number',
    ],
    ['huge kernel', withNode(0, { kernel: 101 }), /kernel is 101/],
    ['stride 3', withNode(0, { stride: 3 }), /stride is 3, expected an integer from 1 to 2/],
    ['shift 17', withNode(0, { shift: 17 }), /shift is 17/],
    [
      'float weights',
      withNode(0, { encoding: 'f32' }),
      'graph.nodes[0].encoding is "f32", expected b1, t2 or i8',
    ],
    ['no channels', withNode(0, { outChannels: 0 }), /outChannels is 0/],
    ['9 bits', withNode(3, { inputBits: 9 }), /inputBits is 9, expected an integer from 2 to 8/],
    ['1 bit', withNode(3, { inputBits: 1 }), /inputBits is 1/],
    ['no parts', withNode(3, { inputs: [] }), /inputs is an array of 0/],
    [
      'two pool inputs',
      withNode(1, { inputs: ['stem', 'stem'] }),
      /graph.nodes\[1\].inputs is an array of 2, expected an array of 1 entries/,
    ],
    [
      'later tensor',
      withNode(1, { inputs: ['head'] }),
      'graph.nodes[1].inputs[0] is "head", expected the graph input or the output of an earlier node',
    ],
    ['own output', withNode(1, { inputs: ['pool'] }), /is "pool", expected the graph input/],
    [
      'name taken',
      withNode(1, { output: 'image' }),
      'graph.nodes[1].output is "image", expected a name that no earlier tensor has',
    ],
    [
      'conv of a feature',
      withNode(4, { inputs: ['stem'] }),
      'graph.nodes[4].inputs[0] "stem" is the output of conv2d, expected what conv2d may read: input, requantize',
    ],
    [
      'pool of the image',
      withNode(1, { inputs: ['image'] }),
      /"image" is the graph input, expected what max_pool2d may read/,
    ],
    [
      'pool of upsampled',
      withMore({ ...pool, inputs: ['up'], output: 'x' }),
      /"up" is the output of upsample2d/,
    ],
    [
      'upsampled twice',
      withMore({ ...up, inputs: ['up'], output: 'x' }),
      /"up" is the output of upsample2d/,
    ],
    [
      'pool of activations',
      withMore({ ...pool, inputs: ['q'], output: 'x' }),
      /"q" is the output of requantize/,
    ],
    [
      'requantize of activations',
      withMore({ ...requantize, inputs: ['q'], output: 'x' }),
      /"q" is the output of requantize/,
    ],
    [
      'requantize of the image',
      withMore({ ...requantize, inputs: ['image'], output: 'x' }),
      /"image" is the graph input/,
    ],
    [
      'odd pool',
      { ...valid, input: { ...input, shape: [18, 12, 3] } },
      'graph.nodes[1].inputs[0] is 9 x 6, expected even height and width',
    ],
    [
      'parts of other sizes',
      withNode(3, { inputs: ['up', 'pool'] }),
      'graph.nodes[3].inputs[1] "pool" is 4 x 3, expected 8 x 6 as the parts before it',
    ],
    [
      'weights shared by other shapes',
      withNode(4, { weight: 'stem.w' }),
      'graph.nodes[4].weight "stem.w" is i8 [4, 1, 1, 8], expected i8 [4, 7, 7, 3] as in the first node that uses it',
    ],
    [
      'weights shared by encodings',
      withMore({ ...head, output: 'x', encoding: 'b1' }),
      /is b1 \[4, 1, 1, 8\], expected i8/,
    ],
    [
      'norm shared by other channels',
      withMore({ ...requantize, inputs: ['up'], output: 'x' }),
      'graph.nodes[5].norm "n" is of 4 channels, expected 8 as in the first node that uses it',
    ],
    [
      'too many channels',
      { ...valid, nodes: [...wide, { ...requantize, inputs: wide.map((node) => node['output']) }] },
      /is 4352 channels, expected at most 4096/,
    ],
    ['no outputs', { ...valid, outputs: [] }, /graph.outputs is an array of 0/],
    [
      'unknown output',
      { ...valid, outputs: ['x'] },
      'graph.outputs entry "x" is unknown, expected the output of a conv2d node',
    ],
    ['pool as output', { ...valid, outputs: ['pool'] }, /entry "pool" is max_pool2d/],
    [
      'output twice',
      { ...valid, outputs: ['head', 'head'] },
      'graph.outputs is a list with a name twice, expected different names',
    ],
    [
      'outputs of other shapes',
      { ...withNode(4, { outChannels: 5 }), outputs: ['stem', 'head'] },
      'output "head" is of shape [8, 6, 5], expected [8, 6, 4] as the first output',
    ],
    [
      'upsampled past the limit',
      {
        ...valid,
        input: { ...input, shape: [1024, 4, 3] },
        nodes: [
          { ...stem, stride: 1 },
          { ...up, inputs: ['stem'] },
        ],
        outputs: ['stem'],
      },
      /is 1024 x 4, expected at most 512 a side/,
    ],
    [
      'huge feature',
      {
        ...valid,
        input: { ...input, shape: [1024, 1024, 3] },
        nodes: [{ ...stem, kernel: 1, outChannels: 4096 }],
        outputs: ['stem'],
      },
      /output is \[512, 512, 4096\], expected at most 8388608 values/,
    ],
  ];

  test.each(cases)('%s', (_, json, message) => {
    const problem = problemOf(json);
    expect(problem.code).toBe('graph/malformed');
    if (typeof message === 'string') expect(problem.message).toBe(message);
    else expect(problem.message).toMatch(message);
  });
});

/** stem -> wide activations of `channels` -> i8 conv with `kernel`. */
function wideGraph(channels: number, kernel: number): Json {
  const first = { ...stem, kernel: 1, stride: 1, outChannels: channels, shift: 1 };
  const q = { ...requantize, inputs: ['stem'] };
  const last = { ...head, kernel, outChannels: 1, shift: 16 };
  return { ...valid, input: { ...input, shape: [1, 1, 3] }, nodes: [first, q, last] };
}

test('sums must fit 32 bits', () => {
  // 11 x 11 x 1100 x 127 x 127 is just below 2^31, 1101 channels pass it.
  expect(parseGraph(wideGraph(1100, 11)).shapes.get('head')).toEqual([1, 1, 1]);
  expect(problemOf(wideGraph(1101, 11)).message).toMatch(
    /whose sum may reach 2148754277, expected sums that fit 32 bits/,
  );
});

test('work and memory are limited in total', () => {
  const many = (fields: Json, count: number): Json[] =>
    Array.from({ length: count }, (_, i) => ({ ...stem, ...fields, output: `c${i}` }));
  const large = { ...valid, input: { ...input, shape: [512, 512, 3] }, outputs: ['c0'] };
  const memory = { ...large, nodes: many({ kernel: 1, stride: 1, outChannels: 32 }, 40) };
  expect(problemOf(memory).message).toMatch(/268435456 in all/);
  const work = { ...large, nodes: many({ kernel: 15, stride: 1, outChannels: 32 }, 32) };
  expect(problemOf(work).message).toMatch(/past the work limit/);
});

test('arbitrary JSON gives a graph or a typed error', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(4), fc.jsonValue(), (root, index, fields) => {
      for (const json of [root, withNode(index, fields as Json)]) {
        try {
          parseGraph(json);
        } catch (error) {
          expect(error).toBeInstanceOf(BitmarksError);
        }
      }
    }),
  );
});
