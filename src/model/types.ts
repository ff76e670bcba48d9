/**
 * Types of a parsed model: graph, manifest, tensors. No parsing (graph.ts, manifest.ts and pack.ts do that).
 * The meaning of every field is in models/README.md.
 */

/** How weights are stored. b1: one sign bit; t2: ternary, two bits; i8: signed bytes. */
export type Encoding = 'b1' | 't2' | 'i8';

export interface Conv2dNode {
  readonly op: 'conv2d';
  readonly inputs: readonly [string];
  readonly output: string;
  /** Parameter name; nodes that share it share the weights. */
  readonly weight: string;
  /** Odd side length of the square kernel; zero padding is (kernel - 1) / 2. */
  readonly kernel: number;
  readonly stride: 1 | 2;
  readonly outChannels: number;
  readonly encoding: Encoding;
  /** t: right shift of the 32-bit sum, 0..16. */
  readonly shift: number;
}

export interface RequantizeNode {
  readonly op: 'requantize';
  /** Read as their channel concatenation, in this order. */
  readonly inputs: readonly string[];
  readonly output: string;
  /** Parameter name of multiplier, bias and shift. */
  readonly norm: string;
  /** 2..8; activations are 0 .. 2^(inputBits-1)-1. */
  readonly inputBits: number;
}

export interface MaxPool2dNode {
  readonly op: 'max_pool2d';
  readonly inputs: readonly [string];
  readonly output: string;
}

export interface Upsample2dNode {
  readonly op: 'upsample2d';
  readonly inputs: readonly [string];
  readonly output: string;
}

export type GraphNode = Conv2dNode | RequantizeNode | MaxPool2dNode | Upsample2dNode;

/** [height, width, channels] */
export type Shape = readonly [number, number, number];

export interface Graph {
  readonly input: { readonly name: string; readonly shape: Shape; readonly shift: number };
  /** One heatmap tensor per refinement pass, the last one most refined. */
  readonly outputs: readonly string[];
  /** Execution order. */
  readonly nodes: readonly GraphNode[];
  /** Shape of every tensor by name, the input included (computed by parseGraph). */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** Still packed as in the file; `count` logical values in OHWI order. */
export interface WeightTensor {
  readonly encoding: Encoding;
  readonly outChannels: number;
  readonly kernel: number;
  readonly inChannels: number;
  readonly bytes: Uint8Array;
}

export interface NormTensor {
  /** m per channel, never -32768. */
  readonly multiplier: Int16Array;
  /** b per channel. */
  readonly bias: Int16Array;
  /** s, 0..15. */
  readonly shift: number;
}

export interface SoftmaxCodec {
  readonly type: 'softmax';
  /** Crop pixels per heatmap cell. */
  readonly stride: number;
  /** Odd side of the decoding window in cells. */
  readonly window: number;
  /** logit = heatmap value * scale; > 0. */
  readonly scale: number;
}

/** What finders give: a center heatmap, and at each cell the size and the rest of a subject centered there. */
export interface CentersCodec {
  readonly type: 'centers';
  /** Input pixels per cell. */
  readonly stride: number;
  /** real value = heatmap value * scale; > 0. */
  readonly scale: number;
  /** Size in input pixels at the real value 0 of the channel `size`. */
  readonly unit: number;
}

export type Codec = SoftmaxCodec | CentersCodec;

/** Channels of the codec `centers`, in order; the last two only where subjects turn. */
export const CENTERS_CHANNELS = ['center', 'size', 'x', 'y', 'cos', 'sin'] as const;

/** How landmarks make the next region and the score of a subject. */
export interface RoiRule {
  readonly scale: number;
  /** Landmarks whose line is horizontal in the region; null: regions are not rotated. */
  readonly upright: readonly [number, number] | null;
  /** Score below which a subject is absent, 0..1. */
  readonly presence: number;
  /** Least score of a landmark that the region holds, 0..1; absent: it holds all. */
  readonly landmark?: number;
  /** Least score of a landmark that is in the picture, 0..1; absent: `landmark`, without which all are. */
  readonly visible?: number;
  /** How many of the best-scored landmarks make the subject's score; absent: all. */
  readonly count?: number;
  /** Whether a region's mirror image is read too, and the means of both readings count; absent: it is not. */
  readonly mirrored?: boolean;
}

export interface Manifest {
  readonly name: string;
  readonly task: string;
  readonly license: string;
  readonly landmarks: readonly string[];
  readonly mirror: readonly number[];
  readonly connections: readonly (readonly [number, number])[];
  readonly codec: Codec;
  readonly roi: RoiRule;
  readonly golden: { readonly seed: number; readonly sha256: readonly string[] };
  readonly evaluation: Readonly<Record<string, unknown>>;
  readonly data: readonly string[];
  readonly recipe: string;
}

export interface Model {
  readonly manifest: Manifest;
  readonly graph: Graph;
  readonly weights: ReadonlyMap<string, WeightTensor>;
  readonly norms: ReadonlyMap<string, NormTensor>;
  /** Lower-case hex SHA-256 of the payload, checked by the reader. */
  readonly sha256: string;
  /** Size of the whole file. */
  readonly sizeBytes: number;
}
