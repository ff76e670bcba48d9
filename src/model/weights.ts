/**
 * Packed weights as numbers (models/README.md section 2): sizes and unpacking. Kernels that unpack on their own device
 * have their own code; this one is the reference they are tested against.
 */
import type { Encoding, WeightTensor } from './types';

const BITS: Readonly<Record<Encoding, number>> = { b1: 1, t2: 2, i8: 8 };

/** Number of weights of a convolution. */
export function weightCount(shape: {
  readonly outChannels: number;
  readonly kernel: number;
  readonly inChannels: number;
}): number {
  return shape.outChannels * shape.kernel * shape.kernel * shape.inChannels;
}

/** Bytes that `count` weights take in a pack; each parameter starts on a byte. */
export function packedSizeBytes(encoding: Encoding, count: number): number {
  return Math.ceil((count * BITS[encoding]) / 8);
}

/** All weights of a tensor as -127..127 in OHWI order. */
export function unpackWeights(tensor: WeightTensor): Int8Array {
  const { encoding, bytes } = tensor;
  const weights = new Int8Array(weightCount(tensor));
  for (let index = 0; index < weights.length; index++) {
    weights[index] = weightAt(encoding, bytes, index);
  }
  return weights;
}

function weightAt(encoding: Encoding, bytes: Uint8Array, index: number): number {
  switch (encoding) {
    case 'b1':
      return (((bytes[index >> 3] ?? 0) >> (index & 7)) & 1) === 1 ? -1 : 1;
    case 't2':
      // Codes 0, 1, 3 are 0, +1, -1 in two's complement of two bits.
      return (((bytes[index >> 2] ?? 0) >> ((index & 3) * 2)) << 30) >> 30;
    case 'i8':
      return ((bytes[index] ?? 0) << 24) >> 24;
  }
}
