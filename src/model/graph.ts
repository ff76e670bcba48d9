/**
 * Reads a graph (models/README.md section 1) from parsed JSON and checks every rule of it, so that planner and backends
 * can trust names, shapes and ranges. No tensors, no arithmetic, no planning.
 */
import { BitmarksError } from '../errors';
import { JsonChecker, quote } from './check';
import type { Conv2dNode, Encoding, Graph, GraphNode, RequantizeNode, Shape } from './types';

export const GRAPH_FORMAT = 'bitmarks-graph/1';

/** Bounds on every count of a graph, far above what landmark networks need; they keep hostile files from exhausting memory. */
export const GRAPH_LIMITS = {
  nodes: 4096,
  outputs: 16,
  parts: 256,
  side: 1024,
  channels: 4096,
  kernel: 15,
  /** Values of one 16-bit feature. */
  tensorLength: 2 ** 23,
  /** Values of all 16-bit features together. */
  totalLength: 2 ** 28,
  multiplyAdds: 1e11,
} as const;

const INT32_MAX = 2 ** 31 - 1;
const INPUT_CHANNELS = 3;

const check = new JsonChecker('graph/malformed');

/** Largest magnitude of one weight. */
export function maxWeight(encoding: Encoding): number {
  return encoding === 'i8' ? 127 : 1;
}

/** Largest activation of a requantize node: 2^(inputBits-1)-1. */
export function maxActivation(inputBits: number): number {
  return 2 ** (inputBits - 1) - 1;
}

/** Half of 2^shift, what is added before the shift; 0 for shift 0. */
export function roundingOf(shift: number): number {
  return shift > 0 ? 2 ** (shift - 1) : 0;
}

export function shapeLength(shape: Shape): number {
  return shape[0] * shape[1] * shape[2];
}

/** Kinds of tensor, by which the rules of who may read what are written. */
type TensorKind = 'input' | GraphNode['op'];

interface Tensor {
  readonly kind: TensorKind;
  readonly shape: Shape;
  /** Largest activation; 0 for 16-bit features, which no convolution reads. */
  readonly maxActivation: number;
}

const READABLE: Readonly<Record<GraphNode['op'], readonly TensorKind[]>> = {
  conv2d: ['input', 'requantize'],
  requantize: ['conv2d', 'max_pool2d', 'upsample2d'],
  max_pool2d: ['conv2d', 'max_pool2d'],
  upsample2d: ['conv2d', 'max_pool2d'],
};

/**
 * Checks parsed JSON against the contract and computes every shape.
 * Throws 'pack/version' for another graph format and 'graph/malformed' for a broken rule.
 */
export function parseGraph(json: unknown): Graph {
  const root = check.record(json, 'graph');
  checkFormat(check.field(root, 'format'));
  const input = parseInput(check.field(root, 'input'));
  const rawNodes = check.array(check.field(root, 'nodes'), 'graph.nodes', 1, GRAPH_LIMITS.nodes);

  const state = new GraphState(input);
  const nodes = rawNodes.map((raw, index) => state.add(raw, `graph.nodes[${index}]`));
  const outputs = parseOutputs(check.field(root, 'outputs'), state.tensors);
  const shapes = new Map([...state.tensors].map(([name, tensor]) => [name, tensor.shape]));
  return { input, outputs, nodes, shapes };
}

function checkFormat(format: unknown): void {
  if (format === GRAPH_FORMAT) return;
  if (typeof format === 'string' && format.startsWith('bitmarks-graph/')) {
    throw new BitmarksError(
      'pack/version',
      `graph.format is ${quote(format)}, this build reads ${quote(GRAPH_FORMAT)}; update Bitmarks or export the model again`,
    );
  }
  throw check.fail(
    'graph.format',
    typeof format === 'string' ? quote(format) : `a ${typeof format}`,
    quote(GRAPH_FORMAT),
  );
}

function parseInput(json: unknown): Graph['input'] {
  const raw = check.record(json, 'graph.input');
  const shape = check.array(check.field(raw, 'shape'), 'graph.input.shape', 3, 3);
  const height = check.integer(shape[0], 'graph.input.shape[0]', 1, GRAPH_LIMITS.side);
  const width = check.integer(shape[1], 'graph.input.shape[1]', 1, GRAPH_LIMITS.side);
  check.integer(shape[2], 'graph.input.shape[2]', INPUT_CHANNELS, INPUT_CHANNELS);
  return {
    name: check.name(check.field(raw, 'name'), 'graph.input.name'),
    shape: [height, width, INPUT_CHANNELS],
    // Shift 0 would make activations of eight bits, which no kernel multiplies.
    shift: check.integer(check.field(raw, 'shift'), 'graph.input.shift', 1, 7),
  };
}

function parseOutputs(json: unknown, tensors: ReadonlyMap<string, Tensor>): readonly string[] {
  const outputs = check
    .array(json, 'graph.outputs', 1, GRAPH_LIMITS.outputs)
    .map((raw, index) => check.name(raw, `graph.outputs[${index}]`));
  if (new Set(outputs).size !== outputs.length) {
    throw check.fail('graph.outputs', 'a list with a name twice', 'different names');
  }
  let first: Shape | undefined;
  for (const name of outputs) {
    const tensor = tensors.get(name);
    if (tensor?.kind !== 'conv2d') {
      throw check.fail(
        `graph.outputs entry ${quote(name)}`,
        tensor?.kind ?? 'unknown',
        'the output of a conv2d node',
      );
    }
    first ??= tensor.shape;
    if (!sameShape(first, tensor.shape)) {
      throw check.fail(
        `output ${quote(name)}`,
        `of shape [${tensor.shape.join(', ')}]`,
        `[${first.join(', ')}] as the first output`,
      );
    }
  }
  return outputs;
}

function sameShape(a: Shape, b: Shape): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}

/** What is known while nodes are read in order. */
class GraphState {
  readonly tensors = new Map<string, Tensor>();
  private readonly weights = new Map<string, string>();
  private readonly norms = new Map<string, number>();
  private totalLength = 0;
  private multiplyAdds = 0;

  constructor(input: Graph['input']) {
    this.tensors.set(input.name, {
      kind: 'input',
      shape: input.shape,
      maxActivation: 255 >> input.shift,
    });
  }

  add(json: unknown, where: string): GraphNode {
    const raw = check.record(json, where);
    const op = check.field(raw, 'op');
    switch (op) {
      case 'conv2d':
        return this.addConv(raw, where);
      case 'requantize':
        return this.addRequantize(raw, where);
      case 'max_pool2d':
      case 'upsample2d':
        return this.addResize(op, raw, where);
      default:
        throw check.fail(
          `${where}.op`,
          typeof op === 'string' ? quote(op) : `a ${typeof op}`,
          'conv2d, requantize, max_pool2d or upsample2d',
        );
    }
  }

  private addConv(raw: Readonly<Record<string, unknown>>, where: string): Conv2dNode {
    const { name, tensor } = this.singleInput('conv2d', raw, where);
    const kernel = check.integer(
      check.field(raw, 'kernel'),
      `${where}.kernel`,
      1,
      GRAPH_LIMITS.kernel,
    );
    if (kernel % 2 === 0) throw check.fail(`${where}.kernel`, String(kernel), 'an odd number');
    const stride = check.integer(check.field(raw, 'stride'), `${where}.stride`, 1, 2) === 1 ? 1 : 2;
    const node: Conv2dNode = {
      op: 'conv2d',
      inputs: [name],
      output: this.outputName(raw, where),
      weight: check.name(check.field(raw, 'weight'), `${where}.weight`),
      kernel,
      stride,
      outChannels: check.integer(
        check.field(raw, 'outChannels'),
        `${where}.outChannels`,
        1,
        GRAPH_LIMITS.channels,
      ),
      encoding: parseEncoding(check.field(raw, 'encoding'), `${where}.encoding`),
      shift: check.integer(check.field(raw, 'shift'), `${where}.shift`, 0, 16),
    };
    this.checkSum(node, tensor, where);
    this.checkWeight(node, tensor.shape[2], where);
    const height = Math.ceil(tensor.shape[0] / stride);
    const width = Math.ceil(tensor.shape[1] / stride);
    this.addFeature('conv2d', node.output, [height, width, node.outChannels], where);
    this.multiplyAdds += height * width * node.outChannels * kernel * kernel * tensor.shape[2];
    if (this.multiplyAdds > GRAPH_LIMITS.multiplyAdds) {
      throw check.fail(
        where,
        'past the work limit',
        `at most ${GRAPH_LIMITS.multiplyAdds} multiply-adds in a graph`,
      );
    }
    return node;
  }

  /** The sum and its rounding must fit 32 bits, so that no backend wraps around. */
  private checkSum(node: Conv2dNode, input: Tensor, where: string): void {
    const terms = node.kernel * node.kernel * input.shape[2];
    const largest = terms * maxWeight(node.encoding) * input.maxActivation + roundingOf(node.shift);
    if (largest > INT32_MAX) {
      throw check.fail(
        where,
        `a convolution whose sum may reach ${largest}`,
        'sums that fit 32 bits; use fewer input channels or a smaller kernel',
      );
    }
  }

  private checkWeight(node: Conv2dNode, inChannels: number, where: string): void {
    const layout = `${node.encoding} [${node.outChannels}, ${node.kernel}, ${node.kernel}, ${inChannels}]`;
    const known = this.weights.get(node.weight) ?? layout;
    if (known !== layout) {
      throw check.fail(
        `${where}.weight ${quote(node.weight)}`,
        layout,
        `${known} as in the first node that uses it`,
      );
    }
    this.weights.set(node.weight, layout);
  }

  private addRequantize(raw: Readonly<Record<string, unknown>>, where: string): RequantizeNode {
    const inputs = check
      .array(check.field(raw, 'inputs'), `${where}.inputs`, 1, GRAPH_LIMITS.parts)
      .map((name, index) => check.name(name, `${where}.inputs[${index}]`));
    const shape = this.concatenatedShape(inputs, where);
    const norm = check.name(check.field(raw, 'norm'), `${where}.norm`);
    const inputBits = check.integer(check.field(raw, 'inputBits'), `${where}.inputBits`, 2, 8);
    const output = this.outputName(raw, where);
    const channels = this.norms.get(norm) ?? shape[2];
    if (channels !== shape[2]) {
      throw check.fail(
        `${where}.norm ${quote(norm)}`,
        `of ${shape[2]} channels`,
        `${channels} as in the first node that uses it`,
      );
    }
    this.norms.set(norm, channels);
    this.tensors.set(output, {
      kind: 'requantize',
      shape,
      maxActivation: maxActivation(inputBits),
    });
    return { op: 'requantize', inputs, output, norm, inputBits };
  }

  private concatenatedShape(inputs: readonly string[], where: string): Shape {
    let height = 0;
    let width = 0;
    let channels = 0;
    inputs.forEach((name, index) => {
      const { shape } = this.read('requantize', name, `${where}.inputs[${index}]`);
      if (index > 0 && (shape[0] !== height || shape[1] !== width)) {
        throw check.fail(
          `${where}.inputs[${index}] ${quote(name)}`,
          `${shape[0]} x ${shape[1]}`,
          `${height} x ${width} as the parts before it`,
        );
      }
      [height, width] = shape;
      channels += shape[2];
    });
    if (channels > GRAPH_LIMITS.channels) {
      throw check.fail(
        `${where}.inputs`,
        `${channels} channels`,
        `at most ${GRAPH_LIMITS.channels}`,
      );
    }
    return [height, width, channels];
  }

  private addResize(
    op: 'max_pool2d' | 'upsample2d',
    raw: Readonly<Record<string, unknown>>,
    where: string,
  ): GraphNode {
    const { name, tensor } = this.singleInput(op, raw, where);
    const [height, width, channels] = tensor.shape;
    const output = this.outputName(raw, where);
    if (op === 'upsample2d') {
      if (height * 2 > GRAPH_LIMITS.side || width * 2 > GRAPH_LIMITS.side) {
        throw check.fail(
          `${where}.inputs[0]`,
          `${height} x ${width}`,
          `at most ${GRAPH_LIMITS.side / 2} a side`,
        );
      }
      this.tensors.set(output, {
        kind: op,
        shape: [height * 2, width * 2, channels],
        maxActivation: 0,
      });
    } else {
      if (height % 2 !== 0 || width % 2 !== 0) {
        throw check.fail(`${where}.inputs[0]`, `${height} x ${width}`, 'even height and width');
      }
      this.addFeature(op, output, [height / 2, width / 2, channels], where);
    }
    return { op, inputs: [name], output };
  }

  private singleInput(
    op: GraphNode['op'],
    raw: Readonly<Record<string, unknown>>,
    where: string,
  ): { name: string; tensor: Tensor } {
    const inputs = check.array(check.field(raw, 'inputs'), `${where}.inputs`, 1, 1);
    const name = check.name(inputs[0], `${where}.inputs[0]`);
    return { name, tensor: this.read(op, name, `${where}.inputs[0]`) };
  }

  private read(op: GraphNode['op'], name: string, where: string): Tensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) {
      throw check.fail(where, quote(name), 'the graph input or the output of an earlier node');
    }
    if (!READABLE[op].includes(tensor.kind)) {
      throw check.fail(
        `${where} ${quote(name)}`,
        `the ${tensor.kind === 'input' ? 'graph input' : `output of ${tensor.kind}`}`,
        `what ${op} may read: ${READABLE[op].join(', ')}`,
      );
    }
    return tensor;
  }

  private outputName(raw: Readonly<Record<string, unknown>>, where: string): string {
    const name = check.name(check.field(raw, 'output'), `${where}.output`);
    if (this.tensors.has(name)) {
      throw check.fail(`${where}.output`, quote(name), 'a name that no earlier tensor has');
    }
    return name;
  }

  private addFeature(kind: TensorKind, name: string, shape: Shape, where: string): void {
    const length = shapeLength(shape);
    this.totalLength += length;
    if (length > GRAPH_LIMITS.tensorLength || this.totalLength > GRAPH_LIMITS.totalLength) {
      throw check.fail(
        `${where}.output`,
        `[${shape.join(', ')}]`,
        `at most ${GRAPH_LIMITS.tensorLength} values in a tensor and ${GRAPH_LIMITS.totalLength} in all`,
      );
    }
    this.tensors.set(name, { kind, shape, maxActivation: 0 });
  }
}

function parseEncoding(value: unknown, where: string): Encoding {
  if (value === 'b1' || value === 't2' || value === 'i8') return value;
  throw check.fail(
    where,
    typeof value === 'string' ? quote(value) : `a ${typeof value}`,
    'b1, t2 or i8',
  );
}
