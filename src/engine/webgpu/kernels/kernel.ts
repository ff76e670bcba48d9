/**
 * What a kernel is: the four parts that every kernel file has, in this order: what it computes (a formula in the file's
 * first comment), supports(), wgsl(), dispatch(). Also the bindings that all step kernels share. No kernel lives here.
 */
import type { PlanStep } from '../../planner';

/** What kernels may ask of the device beyond WebGPU's default limits, within which all of them stay. */
export interface DeviceTraits {
  /** dot4I8Packed may be called. */
  readonly hasPackedDot: boolean;
  /** Least invocations of a subgroup; 0 where shaders may not use subgroups. */
  readonly subgroupSize: number;
  /** Invocations that a workgroup of a convolution should have. */
  readonly workgroupSize: number;
  /** The adapter computes on the CPU. */
  readonly isSoftware: boolean;
}

/**
 * How activations and weights of a convolution lie: `bytes`, four channels to a word, or `bits`, a word for each bit of 32
 * channels.
 */
export type OperandForm = 'bytes' | 'bits';

/** Where a step finds its data. */
export interface StepPlacement {
  /**
   * First word of a plan's tensor in the features buffer. A feature is stored as planes of 32-bit words, row by row; the word
   * of plane p holds channels 2p (low half) and 2p + 1 of its pixel.
   */
  featureBase(tensor: number): number;
  /** First word of the tensor that the step makes. */
  readonly outputBase: number;
  /** First entry of the step's input words in the table, counted in vec4. */
  readonly tableBase: number;
  /** First texel of the step's weights. */
  readonly weightBase: number;
  /** s of the step's norm; 0 for steps without one. */
  readonly normShift: number;
}

export type Workgroups = readonly [x: number, y: number, z: number];

export interface StepDispatch {
  readonly workgroups: Workgroups;
  /** Values of the kernel's uniform fields, in their order. */
  readonly uniforms: readonly number[];
}

/** One way to compute steps of type S, or a stage of them. */
export interface StepKernel<S extends PlanStep, P> {
  /** Parameters for this step on this device, or the reason why this kernel does not take it. */
  supports(step: S, traits: DeviceTraits): P | KernelRefusal;
  name(step: S): string;
  /** Pure: the text depends on `params` alone and is the key of the pipeline cache. */
  wgsl(params: P): string;
  dispatch(step: S, params: P, placement: StepPlacement): StepDispatch;
}

/** Why a kernel does not take a step. */
export class KernelRefusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Weights texture: texel i lies at (i & mask, i >> shift); its width is this power of two. */
export const WEIGHT_TEXTURE_SHIFT = 10;

/**
 * Declarations that open every step kernel and match `stepBindings`. `fields` are the integers of the `step` uniform, of
 * which the dispatch gives one value each.
 */
export function stepPrelude(fields: readonly string[], enable: 'subgroups' | null = null): string {
  return `${enable === null ? '' : `enable ${enable};`}
struct Step { ${fields.map((field) => `${field}: i32`).join(', ')} }
@group(0) @binding(0) var<storage, read_write> features: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var weights: texture_2d<u32>;
@group(0) @binding(4) var<storage, read> image: array<u32>;
@group(0) @binding(5) var<storage, read_write> activations: array<u32>;
@group(0) @binding(6) var<storage, read> weight_buffer: array<vec4<u32>>;
`;
}

/** Layout entries of `stepPrelude`. `step` has a dynamic offset: one slot per step. */
export function stepBindings(): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  return [
    { binding: 0, visibility, buffer: { type: 'storage' } },
    { binding: 1, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 2, visibility, buffer: { type: 'uniform', hasDynamicOffset: true } },
    { binding: 3, visibility, texture: { sampleType: 'uint' } },
    { binding: 4, visibility, buffer: { type: 'read-only-storage' } },
    { binding: 5, visibility, buffer: { type: 'storage' } },
    { binding: 6, visibility, buffer: { type: 'read-only-storage' } },
  ];
}

/** Planes of a feature: two channels each. */
export function channelPairs(channels: number): number {
  return Math.ceil(channels / 2);
}

/** Integers for the fields of a `step` uniform, in their order. */
export function uniformValues<F extends string>(
  fields: readonly F[],
  values: Readonly<Record<F, number>>,
): readonly number[] {
  return fields.map((field) => values[field]);
}
