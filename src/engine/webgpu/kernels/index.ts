/**
 * The kernels of the WebGPU engine and which ones run a step. Adding a kernel is one file and one line here.
 */
import { BitmarksError } from '../../../errors';
import type { WebgpuKernelName } from '../../backend';
import type { ConvStep, MaxPoolStep, PlanStep } from '../../planner';
import { conv2dCandidates, type ConvCandidate } from './conv2d_candidates';
import { imageActivations } from './image_activations';
import {
  KernelRefusal,
  type DeviceTraits,
  type OperandForm,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';
import { maxPool2d } from './max_pool2d';
import { requantize } from './requantize';
import { requantizeBits } from './requantize_bits';

/** A kernel for one step. */
export interface SelectedKernel {
  /** E.g. 'conv2d_b1_dot4_4x4'. */
  readonly name: string;
  readonly wgsl: string;
  dispatch(placement: StepPlacement): StepDispatch;
}

/** What runs a step. */
export interface SelectedStep {
  /** Makes the activations that `main` reads; null for steps that read features. */
  readonly activations: SelectedKernel | null;
  readonly main: SelectedKernel;
  /** How `main` takes activations and weights; null for steps without. */
  readonly form: OperandForm | null;
  /** `main` reads weights from the buffer, not from the texture. */
  readonly readsWeightBuffer: boolean;
}

/** Tried in order. */
const ACTIVATIONS: Readonly<Record<OperandForm, readonly Select<ConvStep>[]>> = {
  bytes: [select(requantize), select(imageActivations)],
  bits: [select(requantizeBits)],
};
const MAX_POOL2D: readonly Select<MaxPoolStep>[] = [select(maxPool2d)];

type Select<S extends PlanStep> = (step: S, traits: DeviceTraits) => SelectedKernel | KernelRefusal;

/**
 * The best kernels for a step; convolutions take the first of the `preferred` names that can run (conv2d_candidates.ts).
 * Throws 'backend/failed' with every kernel's reason if none takes it.
 */
export function selectKernels(
  step: PlanStep,
  traits: DeviceTraits,
  preferred: readonly WebgpuKernelName[] = [],
): SelectedStep {
  if (step.kind === 'max_pool2d') {
    const main = first(MAX_POOL2D, step, traits);
    return { activations: null, main, form: null, readsWeightBuffer: false };
  }
  const candidates = conv2dCandidates(step, traits, preferred);
  const reasons: string[] = [];
  for (const candidate of candidates) {
    const main = selectConv2d(candidate, step, traits);
    if (main instanceof KernelRefusal) {
      reasons.push(`${candidate.name}: ${main.reason}`);
      continue;
    }
    const { form, variant } = candidate;
    const activations = first(ACTIVATIONS[form], step, traits);
    return { activations, main, form, readsWeightBuffer: variant === 'storage' };
  }
  throw noKernel(step, reasons);
}

function selectConv2d(
  { name, kernel }: ConvCandidate,
  step: ConvStep,
  traits: DeviceTraits,
): SelectedKernel | KernelRefusal {
  return select({ ...kernel, name: ({ node }) => `conv2d_${node.encoding}_${name}` })(step, traits);
}

function select<S extends PlanStep, P>(kernel: StepKernel<S, P>): Select<S> {
  return (step, traits) => {
    const params = kernel.supports(step, traits);
    if (params instanceof KernelRefusal) return params;
    return {
      name: kernel.name(step),
      wgsl: kernel.wgsl(params),
      dispatch: (placement) => kernel.dispatch(step, params, placement),
    };
  };
}

function first<S extends PlanStep>(
  selects: readonly Select<S>[],
  step: S,
  traits: DeviceTraits,
): SelectedKernel {
  const reasons: string[] = [];
  for (const each of selects) {
    const selected = each(step, traits);
    if (!(selected instanceof KernelRefusal)) return selected;
    reasons.push(selected.reason);
  }
  throw noKernel(step, reasons);
}

function noKernel(step: PlanStep, reasons: readonly string[]): BitmarksError {
  return new BitmarksError(
    'backend/failed',
    `no WebGPU kernel for step ${JSON.stringify(step.name)} (${step.kind}): ${reasons.join('; ')}`,
  );
}
