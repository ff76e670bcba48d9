/**
 * Builds small models in memory for tests: nodes and parameters together, checked by parseGraph at the end.
 * Runs in Node and in browsers.
 */
import {
  maxActivation,
  maxWeight,
  parseGraph,
  roundingOf,
  GRAPH_FORMAT,
} from '../../src/model/graph';
import type {
  Encoding,
  Graph,
  GraphNode,
  Manifest,
  Model,
  NormTensor,
  Shape,
  WeightTensor,
} from '../../src/model/types';
import { packedSizeBytes } from '../../src/model/weights';

/** Weight of index (((o * kernel + y) * kernel + x) * inChannels + i). */
export type WeightRule = (index: number) => number;

export interface ConvOptions {
  readonly kernel?: number;
  readonly stride?: 1 | 2;
  readonly outChannels: number;
  readonly encoding?: Encoding;
  /** Default: the smallest shift that cannot leave 16 bits, as exporters choose it. */
  readonly shift?: number;
  readonly weights?: WeightRule;
  /** Name of an existing parameter of the same layout; `weights` is then not used. */
  readonly share?: string;
}

export interface RequantizeOptions {
  readonly inputBits?: number;
  /** m, b of a channel, and s. */
  readonly multiplier?: (channel: number) => number;
  readonly bias?: (channel: number) => number;
  readonly shift?: number;
  /** Name of an existing norm of as many channels. */
  readonly share?: string;
}

/** The smallest t with (terms*w*q + r) >> t <= 32767. */
export function smallestShift(
  terms: number,
  encoding: Encoding,
  largestActivation: number,
): number {
  const largest = terms * maxWeight(encoding) * largestActivation;
  let shift = 0;
  while ((largest + roundingOf(shift)) / 2 ** shift >= 32768) shift++;
  return shift;
}

/** Packs weights as a pack file holds them. */
export function packWeights(encoding: Encoding, count: number, rule: WeightRule): Uint8Array {
  const bytes = new Uint8Array(packedSizeBytes(encoding, count));
  const bits = { b1: 1, t2: 2, i8: 8 }[encoding];
  for (let index = 0; index < count; index++) {
    const weight = rule(index);
    const code = encoding === 'b1' ? Number(weight < 0) : weight & (2 ** bits - 1);
    const position = index * bits;
    bytes[position >> 3] = (bytes[position >> 3] ?? 0) | (code << (position & 7));
  }
  return bytes;
}

/** A manifest that fits a graph; landmarks are named k0, k1, ... */
export function testManifest(graph: Graph, overrides: Partial<Manifest> = {}): Manifest {
  const shape = graph.shapes.get(graph.outputs[0] ?? '') ?? [1, 1, 1];
  const landmarks = Array.from({ length: shape[2] }, (_, index) => `k${index}`);
  return {
    name: 'test',
    task: 'face',
    license: 'CC0-1.0',
    landmarks,
    mirror: landmarks.map((_, index) => index),
    connections: landmarks.slice(1).map((_, index) => [index, index + 1] as const),
    codec: { type: 'softmax', stride: 4, window: 5, scale: 0.01 },
    roi: { scale: 1.3, upright: [0, landmarks.length - 1], presence: 0.5 },
    golden: { seed: 1, sha256: graph.outputs.map(() => '0'.repeat(64)) },
    evaluation: {},
    data: ['made by a test'],
    recipe: 'none',
    ...overrides,
  };
}

export class ModelBuilder {
  readonly image = 'image';
  readonly weights = new Map<string, WeightTensor>();
  readonly norms = new Map<string, NormTensor>();
  private readonly nodes: GraphNode[] = [];
  private readonly shapes = new Map<string, Shape>();
  private readonly largest = new Map<string, number>();
  private readonly inputShift: number;

  constructor(height: number, width: number, inputShift = 1) {
    this.inputShift = inputShift;
    this.shapes.set(this.image, [height, width, 3]);
    this.largest.set(this.image, 255 >> inputShift);
  }

  shape(name: string): Shape {
    const shape = this.shapes.get(name);
    if (shape === undefined) throw new Error(`no tensor ${name}`);
    return shape;
  }

  conv(input: string, options: ConvOptions): string {
    const { kernel = 1, stride = 1, outChannels, encoding = 'b1' } = options;
    const [height, width, inChannels] = this.shape(input);
    const terms = kernel * kernel * inChannels;
    const output = this.newName('conv');
    const weight = options.share ?? `${output}.w`;
    if (options.share === undefined) {
      const rule = options.weights ?? (() => 1);
      const bytes = packWeights(encoding, terms * outChannels, rule);
      this.weights.set(weight, { encoding, outChannels, kernel, inChannels, bytes });
    }
    const shift = options.shift ?? smallestShift(terms, encoding, this.largest.get(input) ?? 0);
    this.nodes.push({
      op: 'conv2d',
      inputs: [input],
      output,
      weight,
      kernel,
      stride,
      outChannels,
      encoding,
      shift,
    });
    this.shapes.set(output, [Math.ceil(height / stride), Math.ceil(width / stride), outChannels]);
    return output;
  }

  requantize(inputs: readonly string[], options: RequantizeOptions = {}): string {
    const { inputBits = 8, multiplier = () => 32767, bias = () => 0, shift = 0 } = options;
    const [height, width] = this.shape(inputs[0] ?? '');
    const channels = inputs.reduce((sum, name) => sum + this.shape(name)[2], 0);
    const output = this.newName('q');
    const norm = options.share ?? `${output}.n`;
    if (options.share === undefined) {
      this.norms.set(norm, {
        multiplier: Int16Array.from({ length: channels }, (_, channel) => multiplier(channel)),
        bias: Int16Array.from({ length: channels }, (_, channel) => bias(channel)),
        shift,
      });
    }
    this.nodes.push({ op: 'requantize', inputs, output, norm, inputBits });
    this.shapes.set(output, [height, width, channels]);
    this.largest.set(output, maxActivation(inputBits));
    return output;
  }

  maxPool(input: string): string {
    const [height, width, channels] = this.shape(input);
    const output = this.newName('pool');
    this.nodes.push({ op: 'max_pool2d', inputs: [input], output });
    this.shapes.set(output, [height / 2, width / 2, channels]);
    return output;
  }

  upsample(input: string): string {
    const [height, width, channels] = this.shape(input);
    const output = this.newName('up');
    this.nodes.push({ op: 'upsample2d', inputs: [input], output });
    this.shapes.set(output, [height * 2, width * 2, channels]);
    return output;
  }

  /** The graph as a file holds it. */
  graphJson(outputs: readonly string[]): Record<string, unknown> {
    const input = { name: this.image, shape: this.shape(this.image), shift: this.inputShift };
    return { format: GRAPH_FORMAT, input, outputs, nodes: this.nodes };
  }

  build(outputs: readonly string[], manifest: Partial<Manifest> = {}): Model {
    const graph = parseGraph(JSON.parse(JSON.stringify(this.graphJson(outputs))));
    return {
      manifest: testManifest(graph, manifest),
      graph,
      weights: this.weights,
      norms: this.norms,
      sha256: '0'.repeat(64),
      sizeBytes: 0,
    };
  }

  private newName(kind: string): string {
    return `${kind}${this.nodes.length}`;
  }
}
