/**
 * Writes packs from models for tests, in parts that tests can damage before they are put together. Independent of the
 * reader. Runs in Node and in browsers.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Graph, Model } from '../../src/model/types';

export interface PackTensor {
  name: string;
  dtype: string;
  bytes: Uint8Array;
}

/** A pack before it is put together. */
export interface PackParts {
  tensors: PackTensor[];
  metadata: Record<string, unknown>;
  manifest: Record<string, unknown>;
}

/** The graph as a file holds it. */
export function graphToJson(graph: Graph): Record<string, unknown> {
  const { input, outputs, nodes } = graph;
  return { format: 'bitmarks-graph/1', input, outputs, nodes };
}

/** The parts of a valid pack, all of them copies. */
export function packParts(model: Model): PackParts {
  const norms = parametersInOrder(model, 'requantize').map((name) => model.norms.get(name));
  const weights = parametersInOrder(model, 'conv2d').map((name) => model.weights.get(name));
  const multipliers = norms.flatMap((norm) => [...(norm?.multiplier ?? [])]);
  const biases = norms.flatMap((norm) => [...(norm?.bias ?? [])]);
  const tensors: PackTensor[] = [
    { name: 'norm.multiplier', dtype: 'I16', bytes: int16Bytes(multipliers) },
    { name: 'norm.bias', dtype: 'I16', bytes: int16Bytes(biases) },
    { name: 'norm.shift', dtype: 'U8', bytes: Uint8Array.from(norms, (norm) => norm?.shift ?? 0) },
  ];
  for (const [encoding, dtype] of [
    ['i8', 'I8'],
    ['b1', 'U8'],
    ['t2', 'U8'],
  ] as const) {
    const bytes = weights.flatMap((weight) =>
      weight?.encoding === encoding ? [...weight.bytes] : [],
    );
    if (bytes.length > 0) {
      tensors.push({ name: `weights.${encoding}`, dtype, bytes: Uint8Array.from(bytes) });
    }
  }
  const graph = new TextEncoder().encode(JSON.stringify(graphToJson(model.graph)));
  tensors.push({ name: 'graph', dtype: 'U8', bytes: graph });
  return {
    tensors,
    metadata: { format: 'bitmarks-pack/1' },
    manifest: JSON.parse(JSON.stringify(model.manifest)) as Record<string, unknown>,
  };
}

/** Puts parts together, with a right hash unless the metadata brings its own; `edit` sees the header last. */
export function assemblePack(
  parts: PackParts,
  edit: (header: Record<string, unknown>) => void = () => undefined,
): Uint8Array {
  const payload = concatBytes(parts.tensors.map(({ bytes }) => bytes));
  const header: Record<string, unknown> = {
    __metadata__: {
      sha256: bytesToHex(sha256(payload)),
      manifest: JSON.stringify(parts.manifest),
      ...parts.metadata,
    },
  };
  let offset = 0;
  for (const { name, dtype, bytes } of parts.tensors) {
    const shape = [dtype === 'I16' ? bytes.length / 2 : bytes.length];
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  edit(header);
  return containerBytes(JSON.stringify(header), payload);
}

/** Length, header padded to a multiple of 8, payload. */
export function containerBytes(header: string, payload: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(header);
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setUint32(0, padded.length, true);
  return concatBytes([length, padded, payload]);
}

/** A valid pack of a model. */
export function writePack(model: Model): Uint8Array {
  return assemblePack(packParts(model));
}

function parametersInOrder(model: Model, op: 'conv2d' | 'requantize'): readonly string[] {
  const names = model.graph.nodes.flatMap((node) => {
    if (node.op !== op) return [];
    return node.op === 'conv2d' ? [node.weight] : [node.norm];
  });
  return [...new Set(names)];
}

function int16Bytes(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value & 255, (value >> 8) & 255]));
}

function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}
