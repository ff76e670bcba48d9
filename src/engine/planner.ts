/**
 * Turns a graph into an execution plan: nodes that the asked-for output does not need are dropped, concatenation and
 * requantisation are fused into the reader, upsampling becomes an index rule of the reader, buffers are reused.
 * Knows shapes and names; never weights' values or devices.
 */
import { BitmarksError } from '../errors';
import { shapeLength } from '../model/graph';
import type { Conv2dNode, Graph, GraphNode, Model, Shape } from '../model/types';

/** A 16-bit feature buffer of the plan; several tensors share one over time. */
export interface PlanBuffer {
  readonly index: number;
  /** Number of 16-bit values, the largest tensor placed here. */
  readonly length: number;
}

/** One channel range of the concatenation that a convolution reads. */
export interface PlanPart {
  /** Index into Plan.buffers. */
  readonly buffer: number;
  /** Shape of the stored tensor; with `upsample` the reader takes (y >> 1, x >> 1). */
  readonly shape: Shape;
  readonly upsample: boolean;
  /** First channel of this part within the concatenation. */
  readonly channelOffset: number;
}

/** Requantise the parts (or read the image), convolve, store a 16-bit feature. */
export interface ConvStep {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly node: Conv2dNode;
  /** 'image' reads the graph input shifted right by inputShift; otherwise the parts are requantised with `norm`. */
  readonly source:
    | { readonly kind: 'image'; readonly inputShift: number }
    | {
        readonly kind: 'parts';
        readonly parts: readonly PlanPart[];
        readonly norm: string;
        readonly inputBits: number;
      };
  /** [h, w, channels of the concatenation] */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly outputBuffer: number;
}

export interface MaxPoolStep {
  readonly kind: 'max_pool2d';
  readonly name: string;
  readonly inputBuffer: number;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly outputBuffer: number;
}

export type PlanStep = ConvStep | MaxPoolStep;

export interface Plan {
  /** Name of the tensor this plan computes. */
  readonly output: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Buffer of the output after the last step. */
  readonly outputBuffer: number;
  readonly steps: readonly PlanStep[];
  readonly buffers: readonly PlanBuffer[];
  /** Multiply-adds of all convolutions. */
  readonly multiplyAdds: number;
}

/**
 * Plans the computation of one conv2d output, by default the graph's last output.
 * The graph must come from parseGraph. Throws 'graph/malformed' for a name that no conv2d node makes.
 */
export function planGraph(model: Pick<Model, 'graph'>, output?: string): Plan {
  const { graph } = model;
  const target = output ?? graph.outputs.at(-1) ?? '';
  const makers = new Map(graph.nodes.map((node) => [node.output, node]));
  if (makers.get(target)?.op !== 'conv2d') {
    throw new BitmarksError(
      'graph/malformed',
      `cannot plan ${JSON.stringify(target)}: expected the output of a conv2d node, such as ${graph.outputs.join(', ')}`,
    );
  }
  const stored = neededNodes(graph, makers, target).filter(isStored);
  const planner = new StepPlanner(graph, makers, stored);
  const steps = stored.map((node, index) => planner.step(node, index));
  return {
    output: target,
    inputShape: graph.input.shape,
    outputShape: shapeOf(graph, target),
    outputBuffer: planner.bufferOf(target),
    steps,
    buffers: planner.buffers(),
    multiplyAdds: steps.reduce((sum, step) => sum + stepMultiplyAdds(step), 0),
  };
}

/** Nodes that become a step and own a buffer; the others are rules of their readers. */
type StoredNode = Extract<GraphNode, { op: 'conv2d' | 'max_pool2d' }>;
type Makers = ReadonlyMap<string, GraphNode>;

function isStored(node: GraphNode): node is StoredNode {
  return node.op === 'conv2d' || node.op === 'max_pool2d';
}

/** The nodes that `target` depends on, itself included, in execution order. */
function neededNodes(graph: Graph, makers: Makers, target: string): readonly GraphNode[] {
  const needed = new Set<string>();
  const pending = [target];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    pending.push(...(makers.get(name)?.inputs ?? []));
  }
  return graph.nodes.filter((node) => needed.has(node.output));
}

/** The stored tensors that computing `node` reads, through fused requantisation and upsampling. */
function storedInputs(node: StoredNode, makers: Makers): readonly string[] {
  const names: string[] = [];
  const pending: string[] = [...node.inputs];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const maker = makers.get(name);
    if (maker === undefined) continue; // the graph input owns no buffer
    if (isStored(maker)) names.push(name);
    else pending.push(...maker.inputs);
  }
  return names;
}

function shapeOf(graph: Graph, name: string): Shape {
  const shape = graph.shapes.get(name);
  if (shape === undefined)
    throw new BitmarksError('graph/malformed', `no shape for tensor ${JSON.stringify(name)}`);
  return shape;
}

function stepMultiplyAdds(step: PlanStep): number {
  if (step.kind !== 'conv2d') return 0;
  return shapeLength(step.outputShape) * step.node.kernel ** 2 * step.inputShape[2];
}

/** Makes steps in execution order while placing each output in a buffer that no live tensor occupies. */
class StepPlanner {
  private readonly pool = new BufferPool();
  private readonly placed = new Map<string, number>();
  /** Index of the last step that reads a tensor; nothing reads the target, which so keeps its buffer. */
  private readonly lastUse = new Map<string, number>();
  private readonly graph: Graph;
  private readonly makers: Makers;

  constructor(graph: Graph, makers: Makers, stored: readonly StoredNode[]) {
    this.graph = graph;
    this.makers = makers;
    stored.forEach((node, index) => {
      for (const name of storedInputs(node, makers)) this.lastUse.set(name, index);
    });
  }

  step(node: StoredNode, index: number): PlanStep {
    const outputShape = shapeOf(this.graph, node.output);
    // The output is placed while the inputs still hold their buffers: a step never writes what it reads.
    const outputBuffer = this.pool.take(shapeLength(outputShape));
    this.placed.set(node.output, outputBuffer);
    const step: PlanStep =
      node.op === 'conv2d'
        ? this.convStep(node, outputShape, outputBuffer)
        : {
            kind: 'max_pool2d',
            name: node.output,
            inputBuffer: this.bufferOf(node.inputs[0]),
            inputShape: shapeOf(this.graph, node.inputs[0]),
            outputShape,
            outputBuffer,
          };
    for (const name of new Set(storedInputs(node, this.makers))) {
      if (this.lastUse.get(name) === index) this.pool.release(this.bufferOf(name));
    }
    return step;
  }

  bufferOf(name: string): number {
    const buffer = this.placed.get(name);
    if (buffer === undefined)
      throw new BitmarksError(
        'graph/malformed',
        `tensor ${JSON.stringify(name)} is read before it is made`,
      );
    return buffer;
  }

  buffers(): readonly PlanBuffer[] {
    return this.pool.lengths.map((length, index) => ({ index, length }));
  }

  private convStep(node: Conv2dNode, outputShape: Shape, outputBuffer: number): ConvStep {
    const source = this.makers.get(node.inputs[0]);
    return {
      kind: 'conv2d',
      name: node.output,
      node,
      source:
        source?.op === 'requantize'
          ? {
              kind: 'parts',
              parts: this.parts(source.inputs),
              norm: source.norm,
              inputBits: source.inputBits,
            }
          : { kind: 'image', inputShift: this.graph.input.shift },
      inputShape: shapeOf(this.graph, node.inputs[0]),
      outputShape,
      outputBuffer,
    };
  }

  private parts(names: readonly string[]): readonly PlanPart[] {
    let channelOffset = 0;
    return names.map((name) => {
      const maker = this.makers.get(name);
      const upsample = maker?.op === 'upsample2d';
      const storedName = upsample ? maker.inputs[0] : name;
      const shape = shapeOf(this.graph, storedName);
      const part: PlanPart = { buffer: this.bufferOf(storedName), shape, upsample, channelOffset };
      channelOffset += shape[2];
      return part;
    });
  }
}

/** Buffers that are free or taken; lengths grow to the largest tensor placed in them. */
class BufferPool {
  readonly lengths: number[] = [];
  private readonly free = new Set<number>();

  /** The free buffer that wastes least; else the largest free one, grown; else a new one. */
  take(length: number): number {
    let best = -1;
    for (const candidate of this.free) {
      if (best < 0 || this.isBetter(candidate, best, length)) best = candidate;
    }
    if (best < 0) best = this.lengths.push(length) - 1;
    this.free.delete(best);
    this.lengths[best] = Math.max(this.lengthOf(best), length);
    return best;
  }

  release(index: number): void {
    this.free.add(index);
  }

  private isBetter(candidate: number, best: number, length: number): boolean {
    const a = this.lengthOf(candidate);
    const b = this.lengthOf(best);
    if (a >= length) return b < length || a < b;
    return a > b;
  }

  private lengthOf(index: number): number {
    return this.lengths[index] ?? 0;
  }
}
