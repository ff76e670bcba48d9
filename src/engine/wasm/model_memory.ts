/**
 * Where a model's tensors lie in its block of memory: one after the other, constants once whichever steps share them. Knows no
 * steps.
 */
import { BitmarksError } from '../../errors';
import type { Model } from '../../model/types';
import { unpackWeights } from '../../model/weights';
import type { MemoryArena } from './arena';
import type { ConvKernel, ConvWeights } from './kernels/kernel';

/** Kernels load whole vectors: up to 7 activations past an image, 14 bytes past features, multipliers and biases. */
const SLACK_BYTES = 32;
const ALIGNMENT = 16;

/** Places tensors one after the other; addresses are relative until the block is allocated. */
export class Placement {
  sizeBytes = 0;

  place(bytes: number): number {
    const offset = this.sizeBytes;
    this.sizeBytes += Math.ceil((bytes + SLACK_BYTES) / ALIGNMENT) * ALIGNMENT;
    return offset;
  }
}

/** Constants of the model: laid-out weights and norms, each placed once whichever steps share it. */
export class Constants {
  readonly placement: Placement;
  private readonly model: Model;
  private readonly placed = new Map<string, { offset: number; values: ArrayBufferView }>();
  private readonly unpacked = new Map<string, ConvWeights>();

  constructor(model: Model, placement: Placement) {
    this.model = model;
    this.placement = placement;
  }

  unpack(name: string): ConvWeights {
    const known = this.unpacked.get(name);
    if (known !== undefined) return known;
    const tensor = this.model.weights.get(name);
    if (tensor === undefined) throw failed(`the model has no weights ${JSON.stringify(name)}`);
    const weights = { ...tensor, values: unpackWeights(tensor) };
    this.unpacked.set(name, weights);
    return weights;
  }

  weights(name: string, kernel: ConvKernel): number {
    return this.offset(`weights ${name}`, () => kernel.layOut(this.unpack(name)));
  }

  norm(name: string): { multiplier: number; bias: number; shift: number } {
    const norm = this.model.norms.get(name);
    if (norm === undefined) throw failed(`the model has no norm ${JSON.stringify(name)}`);
    return {
      multiplier: this.offset(`multiplier ${name}`, () => norm.multiplier),
      bias: this.offset(`bias ${name}`, () => norm.bias),
      shift: norm.shift,
    };
  }

  write(arena: MemoryArena, base: number): void {
    for (const { offset, values } of this.placed.values()) arena.write(base + offset, values);
  }

  private offset(key: string, make: () => ArrayBufferView): number {
    const known = this.placed.get(key);
    if (known !== undefined) return known.offset;
    const values = make();
    const offset = this.placement.place(values.byteLength);
    this.placed.set(key, { offset, values });
    return offset;
  }
}

function failed(message: string): BitmarksError {
  return new BitmarksError('backend/failed', message);
}
