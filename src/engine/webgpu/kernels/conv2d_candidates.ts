/**
 * The convolution kernels by name, and in which order they are tried for a step: those that were asked for, then those that
 * are expected to be fastest on the adapter. A name is a variant and a tile, 'dot4_4x4'; the variant alone, 'dot4', stands for
 * all of its tiles.
 */
import type { WebgpuKernelName, WebgpuTile, WebgpuVariant } from '../../backend';
import type { ConvStep } from '../../planner';
import { activationBits } from './activation_planes';
import { conv2dOfBytes, noPackedDot } from './conv2d';
import { conv2dOfBits } from './conv2d_bitplanes';
import { conv2dOfSubgroups, noSubgroups } from './conv2d_subgroup';
import type { Conv2dKernel } from './conv2d_text';
import type { DeviceTraits, KernelRefusal, OperandForm } from './kernel';
import { TILES, tilesFor, type Tile } from './tile';

/** A new variant is a line here and in src/engine/backend.ts. */
const VARIANTS = {
  dot4: { form: 'bytes', refusal: noPackedDot, make: conv2dOfBytes('dot4') },
  shift: { form: 'bytes', refusal: () => null, make: conv2dOfBytes('shift') },
  bitplanes: { form: 'bits', refusal: () => null, make: conv2dOfBits },
  subgroup: { form: 'bytes', refusal: noSubgroups, make: conv2dOfSubgroups },
  storage: { form: 'bytes', refusal: noPackedDot, make: conv2dOfBytes('storage') },
} as const satisfies Readonly<
  Record<
    WebgpuVariant,
    {
      form: OperandForm;
      /** Why no step can run on the device. */
      refusal: (traits: DeviceTraits) => KernelRefusal | null;
      make: (tile: Tile) => Conv2dKernel<unknown>;
    }
  >
>;

export const CONV_VARIANTS = Object.keys(VARIANTS) as readonly WebgpuVariant[];

export interface ConvCandidate {
  /** E.g. 'dot4_4x4'. */
  readonly name: `${WebgpuVariant}_${WebgpuTile}`;
  readonly variant: WebgpuVariant;
  readonly form: OperandForm;
  readonly kernel: Conv2dKernel<unknown>;
}

/** Bit planes are expected to be faster than dot4 up to so many bits of an activation (ARCHITECTURE.md). */
const FEW_BITS = 3;

/** All candidates for a step, best first; not all can run it. */
export function conv2dCandidates(
  step: ConvStep,
  traits: DeviceTraits,
  preferred: readonly WebgpuKernelName[],
): readonly ConvCandidate[] {
  const few = activationBits(step) <= FEW_BITS;
  const expected: readonly WebgpuVariant[] = few ? ['bitplanes', ...CONV_VARIANTS] : CONV_VARIANTS;
  const tiles = tilesFor(step, traits);
  const candidates = [...new Set(expected)].flatMap((variant) =>
    tiles.map((tile): ConvCandidate => {
      const { form, make } = VARIANTS[variant];
      return { name: `${variant}_${tile}`, variant, form, kernel: make(TILES[tile]) };
    }),
  );
  return candidates.sort((a, b) => rank(a, preferred) - rank(b, preferred));
}

/** Why kernels of these names can run no step on the device, in words; empty where they can. */
export function kernelRefusals(
  names: readonly WebgpuKernelName[],
  traits: DeviceTraits,
): readonly string[] {
  return names.flatMap((name) => {
    const variant = CONV_VARIANTS.find((known) => name === known || name.startsWith(`${known}_`));
    const reason = variant === undefined ? null : VARIANTS[variant].refusal(traits);
    return reason === null ? [] : [`${name}: ${reason.reason}`];
  });
}

function rank({ name, variant }: ConvCandidate, preferred: readonly WebgpuKernelName[]): number {
  const index = preferred.findIndex((wanted) => wanted === name || wanted === variant);
  return index < 0 ? preferred.length : index;
}
