/**
 * One small pack in parts, and the errors that damaging it gives.
 */
import { BitmarksError } from '../../src/errors';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { ModelBuilder } from './model_builder';
import { assemblePack, packParts, type PackParts } from './pack_writer';

/** One convolution of each encoding. */
export function smallModel(): Model {
  const builder = new ModelBuilder(8, 8);
  const a = builder.conv(builder.image, {
    kernel: 3,
    outChannels: 5,
    encoding: 'i8',
    weights: (i) => (i % 255) - 127,
  });
  const b = builder.conv(
    builder.requantize([a], { multiplier: (c) => 500 * c - 900, bias: (c) => -c, shift: 3 }),
    {
      outChannels: 3,
      encoding: 't2',
      weights: (i) => (i % 3) - 1,
    },
  );
  const head = builder.conv(builder.requantize([a, b], { inputBits: 5 }), {
    outChannels: 2,
    encoding: 'b1',
    weights: (i) => (i % 2) * 2 - 1,
  });
  return builder.build([head]);
}

/** What must survive a round trip; hash and size depend on the file. */
export function contents({ manifest, graph, weights, norms }: Model): unknown {
  return { manifest, graph, weights, norms };
}

export function problemOf(file: Uint8Array): BitmarksError {
  try {
    parsePack(file);
  } catch (error) {
    if (error instanceof BitmarksError) return error;
    throw error;
  }
  throw new Error('the pack was accepted');
}

/** The error for a small pack whose parts were changed. */
export function damaged(change: (parts: PackParts) => void): BitmarksError {
  const parts = packParts(smallModel());
  change(parts);
  return problemOf(assemblePack(parts));
}

export function tensor(parts: PackParts, name: string): PackParts['tensors'][number] {
  const found = parts.tensors.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no tensor ${name}`);
  return found;
}

/** The error for a small pack whose header was changed after it was made. */
export function damagedHeader(
  edit: (header: Record<string, Record<string, unknown>>) => void,
): BitmarksError {
  const parts = packParts(smallModel());
  return problemOf(
    assemblePack(parts, (header) => edit(header as Record<string, Record<string, unknown>>)),
  );
}
