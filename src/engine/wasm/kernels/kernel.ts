/**
 * What a kernel of the WASM engine is, and the functions the modules export. The code of a kernel is the AssemblyScript file
 * of the same name in ../assembly; the file here states the formula, says what the kernel supports, lays weights out and
 * dispatches. No kernel in particular.
 */
import type { Encoding } from '../../../model/types';

/** What both modules export; addresses and strides are in bytes. */
export interface CommonExports {
  /** Names 16 bytes for the partial stores of this instance's thread. */
  setScratch(address: number): void;
  clearBorder(
    target: number,
    height: number,
    pad: number,
    rowBytes: number,
    sideBytes: number,
  ): void;
  imageNarrow: ImageFunction;
  requantizeNarrow: RequantizeFunction;
  maxPool2d(source: number, target: number, height: number, width: number, channels: number): void;
  crop(
    box: number,
    boxWidth: number,
    boxHeight: number,
    target: number,
    rowBytes: number,
    columns: number,
    rows: number,
    x0: number,
    y0: number,
    ux: number,
    uy: number,
    vx: number,
    vy: number,
    taps: number,
    offsets: number,
  ): void;
}

/** What assembly/simd128.ts exports. */
export interface Simd128Exports extends CommonExports {
  imageWide: ImageFunction;
  requantizeWide: RequantizeFunction;
  conv2dMasks: (
    ...parameters: [...ConvParameters, runBytes: number, chunkOcts: number, spill: number]
  ) => void;
  conv2dLut: (...parameters: [...ConvParameters, runBytes: number, spill: number]) => void;
  conv2dWide: (...parameters: ConvParameters) => void;
}

/** What assembly/relaxed.ts exports. */
export interface RelaxedExports extends CommonExports {
  conv2dPairs: (...parameters: [...ConvParameters, chunkOcts: number, spill: number]) => void;
  conv2dQuads: (...parameters: ConvParameters) => void;
  conv2dSplitQuads: (...parameters: ConvParameters) => void;
}

type ImageFunction = (
  source: number,
  height: number,
  rowValues: number,
  target: number,
  rowBytes: number,
  shift: number,
) => void;

type RequantizeFunction = (
  source: number,
  height: number,
  width: number,
  channels: number,
  scale: number,
  target: number,
  pixelBytes: number,
  rowBytes: number,
  multiplier: number,
  bias: number,
  shift: number,
  limit: number,
) => void;

export type ConvParameters = [
  activations: number,
  weights: number,
  output: number,
  height: number,
  width: number,
  channels: number,
  rows: number,
  runOcts: number,
  rowBytes: number,
  stepY: number,
  stepX: number,
  shift: number,
];

/** The functions of the module that was loaded. */
export type WasmExports =
  | { readonly variant: 'simd128'; readonly functions: Simd128Exports }
  | { readonly variant: 'relaxed'; readonly functions: RelaxedExports };

/** What kernels run on. */
export interface KernelHost {
  readonly exports: WasmExports;
  /** Whether the engine makes one instruction of a relaxed dot product of four; variant.ts finds out. */
  readonly fusedDot: boolean;
}

type AllExports = Simd128Exports & RelaxedExports;

/** A call into the module, as data: threads read it from memory. */
export interface KernelCall {
  readonly name: keyof AllExports;
  readonly parameters: readonly number[];
}

/** Most parameters of a function that is called this way. */
export const MAX_PARAMETERS = 15;

export function kernelCall<Name extends keyof AllExports>(
  name: Name,
  ...parameters: Parameters<AllExports[Name]>
): KernelCall {
  return { name, parameters };
}

/** Where the kernels' own bytes lie in the THREAD_BYTES of a thread, the first of which begin at 0. */
export const FIXED_ADDRESSES = { scratch: 64, cropOffsets: 128, spill: 256 } as const;
export const THREAD_BYTES = 1024;

/** Weights of one convolution before their layout: -127..127 in OHWI order. */
export interface ConvWeights {
  readonly values: Int8Array;
  readonly encoding: Encoding;
  readonly outChannels: number;
  readonly kernel: number;
  readonly inChannels: number;
}

/** Groups of eight activations in a run: one kernel row, kernel * inChannels activations, zero-padded. */
export function runOctsOf(weights: ConvWeights): number {
  return Math.ceil((weights.kernel * weights.inChannels) / 8);
}

/** The kernels of a convolution, apart from how activations are made. */
export interface ConvKernel {
  /** Last part of the step's kernel name. */
  readonly name: string;
  /** Size of one activation in the input image. */
  readonly activationBytes: 1 | 2;
  /** Whether the kernel computes convolutions of this encoding, and is meant to, on this host. */
  supports(encoding: Encoding, host: KernelHost): boolean;
  /** Weights in the order in which the kernel reads them. */
  layOut(weights: ConvWeights): Int8Array | Int16Array;
  /** The call that runs the convolution. `largest` is the largest activation, `spill` the address of 480 bytes. */
  dispatch(
    parameters: ConvParameters,
    weights: ConvWeights,
    largest: number,
    spill: number,
  ): KernelCall;
}

/** Outputs of the block that starts when `remaining` outputs are left. */
export type BlockRule = (remaining: number) => number;

/**
 * Weights in blocks of outputs: in a block, per kernel row and per `depth` consecutive activations, the weights of each
 * output. Outputs and activations that do not exist get zeros.
 */
export function layOutBlocks(weights: ConvWeights, block: BlockRule, depth: number): Int8Array {
  const { values, outChannels, kernel, inChannels } = weights;
  const run = kernel * inChannels;
  const paddedRun = runOctsOf(weights) * 8;
  let padded = 0;
  while (padded < outChannels) padded += block(outChannels - padded);
  const laidOut = new Int8Array(padded * kernel * paddedRun);
  let index = 0;
  for (let first = 0; first < outChannels;) {
    const end = first + block(outChannels - first);
    for (let row = 0; row < kernel; row++) {
      for (let k = 0; k < paddedRun; k += depth) {
        for (let output = first; output < end; output++) {
          for (let step = k; step < k + depth; step++) {
            const inside = output < outChannels && step < run;
            laidOut[index++] = inside ? (values[(output * kernel + row) * run + step] ?? 0) : 0;
          }
        }
      }
    }
    first = end;
  }
  return laidOut;
}
