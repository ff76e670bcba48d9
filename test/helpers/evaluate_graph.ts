/**
 * Runs a graph node by node, without a plan: every tensor by its name. Checks the planner and gives parity tests their
 * inner tensors. Runs in Node and in browsers.
 */
import {
  conv2d,
  imageActivations,
  maxPool2d,
  requantize,
  upsample2d,
  type Activations,
  type Feature,
} from '../../src/model/numerics';
import type { GraphNode, Model } from '../../src/model/types';
import { unpackWeights } from '../../src/model/weights';

/** All tensors of a model for one RGB image: 16-bit features as Int16Array, activations as Uint8Array. */
export function evaluateGraph(
  model: Model,
  image: Uint8Array,
): ReadonlyMap<string, Feature | Activations> {
  const { input, nodes } = model.graph;
  const features = new Map<string, Feature>();
  const activations = new Map<string, Activations>();
  activations.set(input.name, imageActivations(image, input.shape, input.shift));
  for (const node of nodes) evaluateNode(model, node, features, activations);
  return new Map<string, Feature | Activations>([...activations, ...features]);
}

function evaluateNode(
  model: Model,
  node: GraphNode,
  features: Map<string, Feature>,
  activations: Map<string, Activations>,
): void {
  switch (node.op) {
    case 'conv2d': {
      const weights = unpackWeights(read(model.weights, node.weight));
      features.set(node.output, conv2d(read(activations, node.inputs[0]), weights, node));
      return;
    }
    case 'requantize': {
      const parts = node.inputs.map((name) => read(features, name));
      const norm = read(model.norms, node.norm);
      activations.set(node.output, requantize(parts, norm, node.inputBits));
      return;
    }
    case 'max_pool2d':
      features.set(node.output, maxPool2d(read(features, node.inputs[0])));
      return;
    case 'upsample2d':
      features.set(node.output, upsample2d(read(features, node.inputs[0])));
  }
}

function read<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`no ${name}`);
  return value;
}
