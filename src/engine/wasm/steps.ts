/**
 * The steps of a plan with their kernels: which is taken, what it needs, and the calls that run it. Allocates nothing.
 */
import { BitmarksError } from '../../errors';
import type { ConvStep, MaxPoolStep, PlanStep } from '../planner';
import {
  activationImage,
  activationKernel,
  dispatchActivations,
  haveSameActivations,
  largestActivation,
  type ActivationSources,
} from './kernels/activations';
import {
  FIXED_ADDRESSES,
  runOctsOf,
  THREAD_BYTES,
  type ConvKernel,
  type KernelCall,
  type KernelHost,
} from './kernels/kernel';
import { dispatchMaxPool, MAX_POOL2D_NAME } from './kernels/max_pool2d';
import { activationRows, type Rows } from './kernels/rows';
import type { Constants } from './model_memory';
import { candidatesFor } from './kernels/candidates';
import type { KernelPreference } from './tuning';

/** What choosing kernels needs. */
export interface StepHost extends KernelHost {
  /** Names of kernels to take before others. */
  readonly kernels: KernelPreference;
}

/** A step with its kernel and the offsets of its constants. */
export interface ChosenStep {
  readonly name: string;
  /** The step whose activation image this one reads, its own or an earlier one's, and the image's bytes. */
  readonly activations: { readonly step: number; readonly bytes: number } | null;
  /** Multiply-adds, or features that are pooled. */
  readonly work: number;
  readonly outputRows: number;
  /** Makes the calls for some output rows of a thread once the base address is known. */
  readonly bind: (addresses: Addresses, rows: Rows, thread: number) => readonly KernelCall[];
}

/** Absolute addresses. */
export interface Addresses {
  readonly base: number;
  readonly image: number;
  /** Of the activation image that a step makes. */
  readonly activations: (step: number) => number;
  readonly tensor: (index: number) => number;
}

/**
 * A kernel for each step. Two convolutions may read one requantized tensor; the second then finds the activations in place,
 * unless a step between them made others.
 */
export function chooseSteps(
  host: StepHost,
  constants: Constants,
  steps: readonly PlanStep[],
): readonly ChosenStep[] {
  let last: KernelStep | null = null;
  return steps.map((step, index) => {
    if (step.kind === 'max_pool2d') return choosePool(step, index);
    const kernel = kernelFor(host, step);
    const shares =
      last !== null &&
      last.kernel.activationBytes === kernel.activationBytes &&
      haveSameActivations(last.step, step);
    last = { step, kernel, index, maker: shares && last !== null ? last.maker : index };
    return chooseConv(constants, last);
  });
}

interface KernelStep {
  readonly step: ConvStep;
  readonly kernel: ConvKernel;
  readonly index: number;
  /** The step that makes the activations which this one reads. */
  readonly maker: number;
}

function kernelFor({ kernels, ...host }: StepHost, { name, node }: ConvStep): ConvKernel {
  const candidates = candidatesFor(node.encoding, host);
  const names = kernels(node.encoding, node.kernel);
  const preferred = names.flatMap((known) => candidates.filter((kernel) => kernel.name === known));
  const kernel = preferred[0] ?? candidates[0];
  if (kernel === undefined) throw failed(`step ${name} has no kernel for ${node.encoding}`);
  return kernel;
}

function choosePool(step: MaxPoolStep, index: number): ChosenStep {
  const [height, width, channels] = step.inputShape;
  return {
    name: MAX_POOL2D_NAME,
    activations: null,
    work: height * width * channels,
    outputRows: step.outputShape[0],
    bind: ({ tensor }, rows) => [
      dispatchMaxPool(step, tensor(step.inputTensor), tensor(index), rows),
    ],
  };
}

function chooseConv(constants: Constants, { step, kernel, index, maker }: KernelStep): ChosenStep {
  const { node, source } = step;
  const shared = maker !== index;
  const weights = constants.unpack(node.weight);
  const weightsOffset = constants.weights(node.weight, kernel);
  const norm = source.kind === 'parts' ? constants.norm(source.norm) : null;
  const [height, width, outChannels] = step.outputShape;
  return {
    name: `${activationKernel(step, shared)}+conv2d_${node.encoding}_${kernel.name}`,
    activations: {
      step: maker,
      bytes: activationImage(step, kernel.activationBytes, 0).sizeBytes,
    },
    work: height * width * weights.values.length,
    outputRows: height,
    bind: ({ base, image, activations, tensor }, rows, thread) => {
      const target = activationImage(step, kernel.activationBytes, activations(maker));
      const sources: ActivationSources = {
        image,
        tensor,
        norm: (name) => {
          if (norm === null) throw failed(`step ${step.name} has no norm ${name}`);
          return { ...norm, multiplier: base + norm.multiplier, bias: base + norm.bias };
        },
      };
      const count = rows.end - rows.first;
      const stepY = node.stride * target.rowBytes;
      // Without padding and stride all pixels form one row, so that tiles of four pixels cross row ends.
      const flat = node.kernel === 1 && node.stride === 1;
      return [
        ...(shared ? [] : dispatchActivations(step, target, sources, activationRows(step, rows))),
        kernel.dispatch(
          [
            target.address + rows.first * stepY,
            base + weightsOffset,
            tensor(index) + rows.first * width * outChannels * 2,
            flat ? 1 : count,
            flat ? count * width : width,
            outChannels,
            node.kernel,
            runOctsOf(weights),
            target.rowBytes,
            stepY,
            node.stride * target.pixelBytes,
            node.shift,
          ],
          weights,
          largestActivation(step),
          thread * THREAD_BYTES + FIXED_ADDRESSES.spill,
        ),
      ];
    },
  };
}

function failed(message: string): BitmarksError {
  return new BitmarksError('backend/failed', message);
}
