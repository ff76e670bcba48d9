/**
 * Turns a graph into an execution plan: nodes that the asked-for output does not need are dropped, concatenation and
 * requantisation are fused into the reader, upsampling becomes an index rule of the reader, buffers are reused.
 * Knows shapes and names; never weights' values or devices.
 */
import type { Conv2dNode, Model, Shape } from '../model/types';

/** A 16-bit feature buffer of the plan; several tensors share one over time. */
export interface PlanBuffer {
  readonly index: number;
  /** Number of 16-bit values, the largest tensor placed here. */
  readonly length: number;
}

/** One channel range of the concatenation that a convolution reads. */
export interface PlanPart {
  /** Index into Plan.buffers. */
  readonly buffer: number;
  /** Shape of the stored tensor; with `upsample` the reader takes (y >> 1, x >> 1). */
  readonly shape: Shape;
  readonly upsample: boolean;
  /** First channel of this part within the concatenation. */
  readonly channelOffset: number;
}

/** Requantise the parts (or read the image), convolve, store a 16-bit feature. */
export interface ConvStep {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly node: Conv2dNode;
  /** 'image' reads the graph input shifted right by inputShift; otherwise the parts are requantised with `norm`. */
  readonly source:
    | { readonly kind: 'image'; readonly inputShift: number }
    | { readonly kind: 'parts'; readonly parts: readonly PlanPart[]; readonly norm: string; readonly inputBits: number };
  /** [h, w, channels of the concatenation] */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly outputBuffer: number;
}

export interface MaxPoolStep {
  readonly kind: 'max_pool2d';
  readonly name: string;
  readonly inputBuffer: number;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly outputBuffer: number;
}

export type PlanStep = ConvStep | MaxPoolStep;

export interface Plan {
  /** Name of the tensor this plan computes. */
  readonly output: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Buffer of the output after the last step. */
  readonly outputBuffer: number;
  readonly steps: readonly PlanStep[];
  readonly buffers: readonly PlanBuffer[];
  /** Multiply-adds of all convolutions. */
  readonly multiplyAdds: number;
}

export declare function planGraph(model: Pick<Model, 'graph'>, output?: string): Plan;
