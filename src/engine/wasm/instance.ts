/**
 * An instance of one of the WASM modules over a given memory, checked to be of this release. Loads nothing.
 */
import { BitmarksError } from '../../errors';
import { FIXED_ADDRESSES, THREAD_BYTES, type WasmExports } from './kernels/kernel';
import type { KernelFunction } from './program';
import type { WasmVariant } from './variant';

const COMMON_EXPORTS = [
  ...['setScratch', 'clearBorder', 'imageNarrow', 'requantizeNarrow', 'maxPool2d', 'crop'],
];

/** The functions of each module, in the order in which programs number them. */
export const EXPORTS: Readonly<Record<WasmVariant, readonly string[]>> = {
  simd128: [
    ...COMMON_EXPORTS,
    'imageWide',
    'requantizeWide',
    'conv2dMasks',
    'conv2dLut',
    'conv2dWide',
  ],
  relaxed: [...COMMON_EXPORTS, 'conv2dPairs', 'conv2dQuads', 'conv2dSplitQuads'],
};

/** Instantiates for one thread of those that use the memory. Throws 'backend/unavailable'. */
export function instantiate(
  variant: WasmVariant,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  thread: number,
): WasmExports {
  let functions: WebAssembly.Exports;
  try {
    functions = new WebAssembly.Instance(module, { env: { memory } }).exports;
  } catch (cause) {
    throw new BitmarksError(
      'backend/unavailable',
      `the ${variant} WASM module could not be instantiated; serve the .wasm file of this release`,
      { cause },
    );
  }
  const made = { variant, functions };
  if (!hasExports(made)) {
    throw new BitmarksError(
      'backend/unavailable',
      `the ${variant} WASM module is of another release: expected the functions ${EXPORTS[variant].join(', ')}`,
    );
  }
  made.functions.setScratch(thread * THREAD_BYTES + FIXED_ADDRESSES.scratch);
  return made;
}

/** The functions as programs number them. */
export function functionsOf({ variant, functions }: WasmExports): readonly KernelFunction[] {
  return EXPORTS[variant].map((name) => Reflect.get(functions, name) as KernelFunction);
}

function hasExports(made: {
  readonly variant: WasmVariant;
  readonly functions: WebAssembly.Exports;
}): made is { variant: WasmVariant; functions: WebAssembly.Exports } & WasmExports {
  return EXPORTS[made.variant].every((name) => typeof made.functions[name] === 'function');
}
