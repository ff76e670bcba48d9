/**
 * The kernels of the WebGPU engine and which one runs a step. Adding a kernel is one file and one line here.
 */
import { BitmarksError } from '../../../errors';
import type { ConvStep, MaxPoolStep, PlanStep } from '../../planner';
import { makeConv2dKernel } from './conv2d';
import {
  KernelRefusal,
  type DeviceTraits,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';
import { maxPool2d } from './max_pool2d';

/** A step with the kernel that runs it. */
export interface SelectedKernel {
  /** E.g. 'conv2d_b1_dot4'. */
  readonly name: string;
  readonly wgsl: string;
  dispatch(placement: StepPlacement): StepDispatch;
}

/** Tries kernels, best first. */
type Candidate<S extends PlanStep> = (
  step: S,
  traits: DeviceTraits,
) => SelectedKernel | KernelRefusal;

const CONV2D: readonly Candidate<ConvStep>[] = [
  candidate(makeConv2dKernel('dot4')),
  candidate(makeConv2dKernel('shift')),
];
const MAX_POOL2D: readonly Candidate<MaxPoolStep>[] = [candidate(maxPool2d)];

/** The best kernel for a step. Throws 'backend/failed' with every kernel's reason if none takes it. */
export function selectKernel(step: PlanStep, traits: DeviceTraits): SelectedKernel {
  return step.kind === 'conv2d' ? first(CONV2D, step, traits) : first(MAX_POOL2D, step, traits);
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
