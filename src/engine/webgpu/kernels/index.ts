/**
 * The kernels of the WebGPU engine and which ones run a step. Adding a kernel is one file and one line here.
 */
import { BitmarksError } from '../../../errors';
import type { ConvStep, MaxPoolStep, PlanStep } from '../../planner';
import { makeConv2dKernel } from './conv2d';
import { imageActivations } from './image_activations';
import {
  KernelRefusal,
  type DeviceTraits,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';
import { maxPool2d } from './max_pool2d';
import { requantize } from './requantize';

/** A kernel for one step. */
export interface SelectedKernel {
  /** E.g. 'conv2d_b1_dot4'. */
  readonly name: string;
  readonly wgsl: string;
  dispatch(placement: StepPlacement): StepDispatch;
}

/** What runs a step. */
export interface SelectedStep {
  /** Makes the activations that `main` reads; null for steps that read features. */
  readonly activations: SelectedKernel | null;
  readonly main: SelectedKernel;
}

type Candidate<S extends PlanStep> = (
  step: S,
  traits: DeviceTraits,
) => SelectedKernel | KernelRefusal;

/** Tried in order, best first. */
const ACTIVATIONS: readonly Candidate<ConvStep>[] = [
  candidate(requantize),
  candidate(imageActivations),
];
const CONV2D: readonly Candidate<ConvStep>[] = [
  candidate(makeConv2dKernel('dot4')),
  candidate(makeConv2dKernel('shift')),
];
const MAX_POOL2D: readonly Candidate<MaxPoolStep>[] = [candidate(maxPool2d)];

/** The best kernels for a step. Throws 'backend/failed' with every kernel's reason if none takes it. */
export function selectKernels(step: PlanStep, traits: DeviceTraits): SelectedStep {
  if (step.kind === 'max_pool2d') {
    return { activations: null, main: first(MAX_POOL2D, step, traits) };
  }
  return { activations: first(ACTIVATIONS, step, traits), main: first(CONV2D, step, traits) };
}

function candidate<S extends PlanStep, P>(kernel: StepKernel<S, P>): Candidate<S> {
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
  candidates: readonly Candidate<S>[],
  step: S,
  traits: DeviceTraits,
): SelectedKernel {
  const reasons: string[] = [];
  for (const select of candidates) {
    const selected = select(step, traits);
    if (!(selected instanceof KernelRefusal)) return selected;
    reasons.push(selected.reason);
  }
  throw new BitmarksError(
    'backend/failed',
    `no WebGPU kernel for step ${JSON.stringify(step.name)} (${step.kind}): ${reasons.join('; ')}`,
  );
}
