/**
 * A model's graph in float on stock tfjs kernels: the same network without rounding, for any tfjs backend, to compare speed
 * and values with. Requantisation is an affine step and a clip, weights are decoded. Never used by pages that only detect.
 *
 * Integer steps and what stands for them here:
 *   v >> shift                          (v - (2^shift - 1) / 2) / 2^shift      the mean of what floor cuts off
 *   (acc + r) >> t                      acc / 2^t                              folded into the weights
 *   clamp((x*m >> 15) + b) >> s, 0..q   clip(x * m / 2^15 / 2^s + (b - (2^s - 1) / 2) / 2^s, 0, min(q, 32767 / 2^s))
 */
import {
  add,
  cast,
  clipByValue,
  concat,
  conv2d,
  image as imageOps,
  maxPool,
  mul,
  reshape,
  tensor1d,
  tensor4d,
  tidy,
  type Rank,
  type Tensor1D,
  type Tensor3D,
  type Tensor4D,
} from '@tensorflow/tfjs-core';
import { BitmarksError } from '../../errors';
import { maxActivation } from '../../model/graph';
import type { Graph, GraphNode, Model, NormTensor, WeightTensor } from '../../model/types';
import { unpackWeights } from '../../model/weights';

/** One output of a graph in float. Its tensors belong to the tfjs backend that was current when it was made. */
export interface FloatGraph {
  /** Image [h, w, 3] of 0..255, int32 or float32, to float32 heatmaps [h, w, c] in units of the integer ones. */
  run(image: Tensor3D): Tensor3D;
  /** Disposes weights and norms. */
  dispose(): void;
}

interface FloatNorm {
  readonly scale: Tensor1D;
  readonly offset: Tensor1D;
}

/** Decodes the parameters that the output (default: the last) needs. */
export function createFloatGraph(model: Model, output?: string): FloatGraph {
  const { graph } = model;
  const target = output ?? graph.outputs.at(-1) ?? '';
  const nodes = neededNodes(graph, target);
  const filters = new Map<string, Tensor4D>();
  const norms = new Map<string, FloatNorm>();
  for (const node of nodes) {
    if (node.op === 'conv2d') {
      filters.set(node.output, floatFilter(find(model.weights, node.weight), node.shift));
    } else if (node.op === 'requantize') {
      norms.set(node.output, floatNorm(find(model.norms, node.norm)));
    }
  }
  return {
    run: (image) =>
      tidy(() => {
        const values = new Map<string, Tensor4D>();
        values.set(graph.input.name, floatImage(image, graph.input.shift));
        for (const node of nodes)
          values.set(node.output, evaluate(node, model, values, filters, norms));
        const result = find(values, target);
        const [, height, width, channels] = result.shape;
        return reshape<Rank.R3>(result, [height, width, channels]);
      }),
    dispose: () => {
      for (const filter of filters.values()) filter.dispose();
      for (const { scale, offset } of norms.values()) {
        scale.dispose();
        offset.dispose();
      }
    },
  };
}

function neededNodes(graph: Graph, target: string): readonly GraphNode[] {
  const needed = new Set([target]);
  // Inputs come before their readers, so one walk from the end finds all.
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!needed.has(node.output)) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  return nodes.reverse();
}

function evaluate(
  node: GraphNode,
  model: Model,
  values: ReadonlyMap<string, Tensor4D>,
  filters: ReadonlyMap<string, Tensor4D>,
  norms: ReadonlyMap<string, FloatNorm>,
): Tensor4D {
  const inputs = node.inputs.map((name) => find(values, name));
  const [first] = inputs;
  if (first === undefined) throw new BitmarksError('graph/malformed', `${node.output}: no input`);
  switch (node.op) {
    case 'conv2d': {
      const pad = (node.kernel - 1) / 2;
      const filter = find(filters, node.output);
      return conv2d(first, filter, node.stride, pad, 'NHWC', [1, 1], 'floor');
    }
    case 'requantize': {
      const { scale, offset } = find(norms, node.output);
      const joined = inputs.length === 1 ? first : concat(inputs, 3);
      const { shift } = find(model.norms, node.norm);
      const top = Math.min(maxActivation(node.inputBits), 32767 / 2 ** shift);
      return clipByValue(add(mul(joined, scale), offset), 0, top);
    }
    case 'max_pool2d':
      return maxPool(first, 2, 2, 'valid');
    case 'upsample2d':
      return imageOps.resizeNearestNeighbor(first, [first.shape[1] * 2, first.shape[2] * 2]);
  }
}

function floatImage(image: Tensor3D, shift: number): Tensor4D {
  const [height, width, channels] = image.shape;
  const pixels = reshape<Rank.R4>(cast(image, 'float32'), [1, height, width, channels]);
  return mul<Tensor4D>(add<Tensor4D>(pixels, (1 - 2 ** shift) / 2), 2 ** -shift);
}

/** OHWI integers to HWIO floats, divided by 2^shift. */
function floatFilter(weight: WeightTensor, shift: number): Tensor4D {
  const { outChannels, kernel, inChannels } = weight;
  const values = unpackWeights(weight);
  const filter = new Float32Array(values.length);
  const rows = kernel * kernel * inChannels;
  for (let output = 0; output < outChannels; output++) {
    for (let row = 0; row < rows; row++) {
      filter[row * outChannels + output] = (values[output * rows + row] ?? 0) * 2 ** -shift;
    }
  }
  return tensor4d(filter, [kernel, kernel, inChannels, outChannels]);
}

function floatNorm({ multiplier, bias, shift }: NormTensor): FloatNorm {
  const unit = 2 ** -shift;
  return {
    scale: tensor1d(Float32Array.from(multiplier, (m) => (m / 32768) * unit)),
    offset: tensor1d(Float32Array.from(bias, (b) => (b - (2 ** shift - 1) / 2) * unit)),
  };
}

function find<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value !== undefined) return value;
  throw new BitmarksError('graph/malformed', `the model has nothing named ${JSON.stringify(name)}`);
}
