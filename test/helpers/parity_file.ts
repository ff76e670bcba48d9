/**
 * Reads parity vectors: safetensors files with one image and the values that the exporting side computed for it. Node only.
 */
import { readFileSync } from 'node:fs';

export interface ParityTensor {
  readonly shape: readonly number[];
  /** Uint8Array for the image and for activations, Int16Array for features. */
  readonly data: Uint8Array | Int16Array;
}

/** Tensors by name, in the order of the file; 'input' is the image. */
export function readParityFile(file: string): ReadonlyMap<string, ParityTensor> {
  const bytes = new Uint8Array(readFileSync(file));
  const headerLength = new DataView(bytes.buffer).getUint32(0, true);
  const start = 8 + headerLength;
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, ParityTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const raw = bytes.slice(start + data_offsets[0], start + data_offsets[1]);
    if (dtype !== 'U8' && dtype !== 'I16') throw new Error(`${file}: ${name} is ${dtype}`);
    tensors.set(name, { shape, data: dtype === 'U8' ? raw : new Int16Array(raw.buffer) });
  }
  return tensors;
}
