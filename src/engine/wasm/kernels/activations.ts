/**
 * The activation image that a convolution reads (code: ../assembly/requantize.ts).
 *
 *   parts: a = clamp(sat16(((x * m + 2^14) >> 15) + b) >> s, 0, qmax), upsampled parts read at (y >> 1, x >> 1)
 *   image: a = v >> shift
 *
 * Layout: [height + 2p, width + 2p, channels] with zeros around the image, one or two bytes per activation. Every step and
 * every encoding is supported.
 */
import type { ConvStep } from '../../planner';
import { kernelCall, type KernelCall } from './kernel';
import type { Rows } from './rows';

/** Where a step's activation image lies and how it is strided, in bytes. */
export interface ActivationImage {
  readonly address: number;
  readonly pad: number;
  readonly activationBytes: 1 | 2;
  readonly pixelBytes: number;
  readonly rowBytes: number;
  /** Size, without what kernels may read past the end. */
  readonly sizeBytes: number;
}

/** Addresses of what a step reads. */
export interface ActivationSources {
  readonly image: number;
  /** By index of the plan. */
  readonly tensor: (index: number) => number;
  readonly norm: (name: string) => {
    readonly multiplier: number;
    readonly bias: number;
    readonly shift: number;
  };
}

/** First part of the step's kernel name; 'shared' if an earlier step left the activations in place. */
export function activationKernel(step: ConvStep, shared: boolean): string {
  if (shared) return 'shared';
  return step.source.kind === 'image' ? 'image' : 'requantize';
}

/** Whether two steps read the same activations. */
export function haveSameActivations(a: ConvStep, b: ConvStep): boolean {
  return a.node.kernel === b.node.kernel && JSON.stringify(a.source) === JSON.stringify(b.source);
}

/** Geometry of the activation image of a step at `address`. */
export function activationImage(
  step: ConvStep,
  activationBytes: 1 | 2,
  address: number,
): ActivationImage {
  const [height, width, channels] = step.inputShape;
  const pad = (step.node.kernel - 1) / 2;
  const pixelBytes = channels * activationBytes;
  const rowBytes = (width + 2 * pad) * pixelBytes;
  const sizeBytes = (height + 2 * pad) * rowBytes;
  return { address, pad, activationBytes, pixelBytes, rowBytes, sizeBytes };
}

/** Largest activation of a step. */
export function largestActivation(step: ConvStep): number {
  const { source } = step;
  return source.kind === 'image' ? 255 >> source.inputShift : 2 ** (source.inputBits - 1) - 1;
}

/** The calls that fill the given rows of the activation image, and the whole of its border. */
export function dispatchActivations(
  step: ConvStep,
  target: ActivationImage,
  sources: ActivationSources,
  { first, end }: Rows,
): readonly KernelCall[] {
  const { address, pad, pixelBytes, rowBytes } = target;
  const isWide = target.activationBytes === 2;
  const [height, width, channels] = step.inputShape;
  const inside = address + pad * (rowBytes + pixelBytes);
  const calls: KernelCall[] = [];
  if (pad > 0) {
    calls.push(kernelCall('clearBorder', address, height, pad, rowBytes, pad * pixelBytes));
  }
  const { source } = step;
  if (source.kind === 'image') {
    const from = sources.image + first * width * channels;
    const to = inside + first * rowBytes;
    const fill = isWide ? 'imageWide' : 'imageNarrow';
    calls.push(
      kernelCall(fill, from, end - first, width * channels, to, rowBytes, source.inputShift),
    );
    return calls;
  }
  const norm = sources.norm(source.norm);
  const largest = largestActivation(step);
  for (const part of source.parts) {
    const [, partWidth, partChannels] = part.shape;
    const scale = part.upsample ? 2 : 1;
    // An upsampled row is made with the one beside it.
    const firstRow = Math.floor(first / scale);
    const rows = Math.ceil(end / scale) - firstRow;
    calls.push(
      kernelCall(
        isWide ? 'requantizeWide' : 'requantizeNarrow',
        sources.tensor(part.tensor) + firstRow * partWidth * partChannels * 2,
        rows,
        partWidth,
        partChannels,
        scale,
        inside + firstRow * scale * rowBytes + part.channelOffset * target.activationBytes,
        pixelBytes,
        rowBytes,
        norm.multiplier + part.channelOffset * 2,
        norm.bias + part.channelOffset * 2,
        norm.shift,
        largest,
      ),
    );
  }
  return calls;
}
