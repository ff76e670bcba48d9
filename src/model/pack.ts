/**
 * Reads a pack (models/README.md section 3): container, hash, manifest, graph, and the parameters cut from the tensors.
 * Everything is checked before it is used; a pack from a stranger gives a model or a BitmarksError, nothing else.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { BitmarksError } from '../errors';
import { JsonChecker, quote } from './check';
import { parseGraph } from './graph';
import { checkManifestFitsGraph, parseManifest } from './manifest';
import { parseJson, readContainer, tensorOf, type Container, type RawTensor } from './safetensors';
import type { Encoding, Graph, Model, NormTensor, WeightTensor } from './types';
import { packedSizeBytes, weightCount } from './weights';

export const PACK_FORMAT = 'bitmarks-pack/1';

const TENSORS: ReadonlySet<string> = new Set([
  'norm.multiplier',
  'norm.bias',
  'norm.shift',
  'weights.i8',
  'weights.b1',
  'weights.t2',
  'graph',
]);

const check = new JsonChecker('pack/malformed');

/**
 * Reads a whole pack file. The model's tensors are views into `file`, which must not change afterwards.
 * Throws 'pack/truncated', 'pack/malformed', 'pack/version', 'pack/hash' or 'graph/malformed'.
 */
export function parsePack(file: Uint8Array): Model {
  const container = readContainer(file);
  checkFormat(check.field(container.metadata, 'format'));
  const hash = checkHash(container);
  const manifest = parseManifest(parseManifestJson(container));
  const graph = parseGraph(parseJson(requireTensor(container, 'graph', 'U8').bytes, 'the graph'));
  checkManifestFitsGraph(manifest, graph);
  for (const name of container.tensors.keys()) {
    if (!TENSORS.has(name))
      throw check.fail(`tensor ${quote(name)}`, 'unknown', [...TENSORS].join(', '));
  }
  return {
    manifest,
    graph,
    weights: readWeights(container, graph),
    norms: readNorms(container, graph),
    sha256: hash,
    sizeBytes: file.length,
  };
}

function checkFormat(format: unknown): void {
  const text = check.text(format, '__metadata__.format', 200);
  if (text === PACK_FORMAT) return;
  if (text.startsWith('bitmarks-pack/')) {
    throw new BitmarksError(
      'pack/version',
      `the pack is ${quote(text)}, this build reads ${quote(PACK_FORMAT)}; use packs and code of one release`,
    );
  }
  throw check.fail('__metadata__.format', quote(text), quote(PACK_FORMAT));
}

function checkHash(container: Container): string {
  const expected = check.text(
    check.field(container.metadata, 'sha256'),
    '__metadata__.sha256',
    200,
  );
  const actual = bytesToHex(sha256(container.payload));
  if (actual !== expected) {
    throw new BitmarksError(
      'pack/hash',
      `the payload's SHA-256 is ${actual}, expected ${quote(expected)}; the file is damaged, download it again`,
    );
  }
  return actual;
}

function parseManifestJson(container: Container): unknown {
  const text = check.field(container.metadata, 'manifest');
  if (typeof text !== 'string') throw check.fail('__metadata__.manifest', typeof text, 'JSON text');
  return parseJson(new TextEncoder().encode(text), 'the manifest');
}

function requireTensor(container: Container, name: string, dtype: string): RawTensor {
  const tensor = tensorOf(container, name, dtype);
  if (tensor === undefined)
    throw check.fail(`tensor ${quote(name)}`, 'missing', `one of dtype ${dtype}`);
  return tensor;
}

function readWeights(container: Container, graph: Graph): ReadonlyMap<string, WeightTensor> {
  const layouts = new Map<string, Omit<WeightTensor, 'bytes'>>();
  for (const node of graph.nodes) {
    if (node.op !== 'conv2d' || layouts.has(node.weight)) continue;
    const { encoding, outChannels, kernel } = node;
    const inChannels = graph.shapes.get(node.inputs[0])?.[2] ?? 0;
    layouts.set(node.weight, { encoding, outChannels, kernel, inChannels });
  }
  const cutters: Readonly<Record<Encoding, Cutter>> = {
    i8: cutter(container, 'weights.i8', 'I8'),
    b1: cutter(container, 'weights.b1', 'U8'),
    t2: cutter(container, 'weights.t2', 'U8'),
  };
  const weights = new Map<string, WeightTensor>();
  for (const [name, layout] of layouts) {
    const count = weightCount(layout);
    const bytes = cutters[layout.encoding].take(packedSizeBytes(layout.encoding, count), name);
    checkWeights(layout.encoding, bytes, count, name);
    weights.set(name, { ...layout, bytes });
  }
  for (const { finish } of Object.values(cutters)) finish();
  return weights;
}

function checkWeights(encoding: Encoding, bytes: Uint8Array, count: number, name: string): void {
  if (encoding === 'i8' && bytes.includes(0x80)) {
    throw check.fail(`a weight of ${quote(name)}`, '-128', '-127 to 127');
  }
  if (encoding !== 't2') return;
  for (let index = 0; index < count; index++) {
    if ((((bytes[index >> 2] ?? 0) >> ((index & 3) * 2)) & 3) === 2) {
      throw check.fail(`weight ${index} of ${quote(name)}`, 'code 2', 'code 0, 1 or 3');
    }
  }
}

function readNorms(container: Container, graph: Graph): ReadonlyMap<string, NormTensor> {
  const multipliers = cutter(container, 'norm.multiplier', 'I16');
  const biases = cutter(container, 'norm.bias', 'I16');
  const shifts = cutter(container, 'norm.shift', 'U8');
  const norms = new Map<string, NormTensor>();
  for (const node of graph.nodes) {
    if (node.op !== 'requantize' || norms.has(node.norm)) continue;
    const channels = graph.shapes.get(node.output)?.[2] ?? 0;
    const multiplier = toInt16(multipliers.take(channels * 2, node.norm));
    const bias = toInt16(biases.take(channels * 2, node.norm));
    const shift = shifts.take(1, node.norm)[0] ?? 0;
    if (multiplier.includes(-32768)) {
      throw check.fail(`a multiplier of ${quote(node.norm)}`, '-32768', '-32767 to 32767');
    }
    norms.set(node.norm, {
      multiplier,
      bias,
      shift: check.integer(shift, `the shift of ${quote(node.norm)}`, 0, 15),
    });
  }
  for (const { finish } of [multipliers, biases, shifts]) finish();
  return norms;
}

/** A view where the bytes are aligned, a copy where they are not. */
function toInt16(bytes: Uint8Array): Int16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}

/** Hands out a tensor's bytes parameter by parameter; all must be used. */
interface Cutter {
  readonly take: (length: number, parameter: string) => Uint8Array;
  readonly finish: () => void;
}

function cutter(container: Container, name: string, dtype: string): Cutter {
  const bytes = tensorOf(container, name, dtype)?.bytes ?? new Uint8Array(0);
  let used = 0;
  return {
    take: (length, parameter) => {
      if (used + length > bytes.length) {
        throw check.fail(
          `tensor ${quote(name)}`,
          `${bytes.length} bytes long`,
          `at least ${used + length}, which the parameters up to ${quote(parameter)} need`,
        );
      }
      used += length;
      return bytes.subarray(used - length, used);
    },
    finish: () => {
      if (used === bytes.length) return;
      throw check.fail(
        `tensor ${quote(name)}`,
        `${bytes.length} bytes long`,
        `${used}, what its parameters need`,
      );
    },
  };
}
