/**
 * Turns a graph into an execution plan: nodes that the asked-for output does not need are dropped, concatenation and
 * requantisation are fused into the reader, upsampling becomes an index rule of the reader, tensors share one arena.
 * Knows shapes and names; never weights' values or devices.
 */
import { BitmarksError } from '../errors';
import { shapeLength } from '../model/graph';
import type { Conv2dNode, Graph, GraphNode, Model, Shape } from '../model/types';
import { layOutArena } from './arena_layout';

/** A stored 16-bit feature: the output of the step of the same index. */
export interface PlanTensor {
  readonly name: string;
  readonly shape: Shape;
  /** Where it lies in the arena of `Plan.arenaLength` 16-bit values; a multiple of 8. */
  readonly offset: number;
  /** The step that makes it. */
  readonly firstStep: number;
  /** The last step that reads it; the last step of all for the plan's output. Afterwards others lie in its place. */
  readonly lastStep: number;
}

/** One channel range of the concatenation that a convolution reads. */
export interface PlanPart {
  /** Index into Plan.tensors. */
  readonly tensor: number;
  /** Shape of the stored tensor; with `upsample` the reader takes (y >> 1, x >> 1). */
  readonly shape: Shape;
  readonly upsample: boolean;
  /** First channel of this part within the concatenation. */
  readonly channelOffset: number;
}

/** Values of a vector of 16 bytes. */
const ALIGNMENT = 8;

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
}

export interface MaxPoolStep {
  readonly kind: 'max_pool2d';
  readonly name: string;
  /** Index into Plan.tensors. */
  readonly inputTensor: number;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
}

export type PlanStep = ConvStep | MaxPoolStep;

export interface Plan {
  /** Name of the tensor this plan computes. */
  readonly output: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** In the order in which they run; the last one makes the output. */
  readonly steps: readonly PlanStep[];
  /** One for each step. Two that live during the same step do not overlap. */
  readonly tensors: readonly PlanTensor[];
  /** Number of 16-bit values in which all tensors find room, each in its time. */
  readonly arenaLength: number;
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
  const steps = stored.map((node) => planner.step(node));
  return {
    output: target,
    inputShape: graph.input.shape,
    outputShape: shapeOf(graph, target),
    steps,
    ...placeTensors(graph, makers, stored),
    multiplyAdds: steps.reduce((sum, step) => sum + stepMultiplyAdds(step), 0),
  };
}

/** Nodes that become a step and make a tensor; the others are rules of their readers. */
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
    if (maker === undefined) continue; // the graph input is no stored tensor
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

/** Finds how long each stored tensor lives and gives it a place. A step never writes where it reads: both live then. */
function placeTensors(
  graph: Graph,
  makers: Makers,
  stored: readonly StoredNode[],
): Pick<Plan, 'tensors' | 'arenaLength'> {
  const lastUse = new Map<string, number>();
  stored.forEach((node, index) => {
    for (const name of storedInputs(node, makers)) lastUse.set(name, index);
  });
  const lives = stored.map(({ output }, index) => ({
    name: output,
    shape: shapeOf(graph, output),
    firstStep: index,
    // Nothing reads the target.
    lastStep: lastUse.get(output) ?? stored.length - 1,
  }));
  const blocks = lives.map((life) => ({ ...life, size: shapeLength(life.shape) }));
  const { offsets, size } = layOutArena(blocks, ALIGNMENT);
  const tensors = lives.map((life, index) => ({ ...life, offset: offsets[index] ?? 0 }));
  return { tensors, arenaLength: size };
}

/** Makes steps of nodes. */
class StepPlanner {
  private readonly graph: Graph;
  private readonly makers: Makers;
  private readonly indices: ReadonlyMap<string, number>;

  constructor(graph: Graph, makers: Makers, stored: readonly StoredNode[]) {
    this.graph = graph;
    this.makers = makers;
    this.indices = new Map(stored.map(({ output }, index) => [output, index]));
  }

  step(node: StoredNode): PlanStep {
    const outputShape = shapeOf(this.graph, node.output);
    if (node.op === 'conv2d') return this.convStep(node, outputShape);
    const [input] = node.inputs;
    return {
      kind: 'max_pool2d',
      name: node.output,
      inputTensor: this.indexOf(input),
      inputShape: shapeOf(this.graph, input),
      outputShape,
    };
  }

  private convStep(node: Conv2dNode, outputShape: Shape): ConvStep {
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
    };
  }

  private parts(names: readonly string[]): readonly PlanPart[] {
    let channelOffset = 0;
    return names.map((name) => {
      const maker = this.makers.get(name);
      const upsample = maker?.op === 'upsample2d';
      const storedName = upsample ? maker.inputs[0] : name;
      const shape = shapeOf(this.graph, storedName);
      const part: PlanPart = { tensor: this.indexOf(storedName), shape, upsample, channelOffset };
      channelOffset += shape[2];
      return part;
    });
  }

  private indexOf(name: string): number {
    const index = this.indices.get(name);
    if (index === undefined)
      throw new BitmarksError(
        'graph/malformed',
        `tensor ${JSON.stringify(name)} is read before it is made`,
      );
    return index;
  }
}
