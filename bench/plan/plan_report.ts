/**
 * What a plan costs, step by step: shapes, bytes, multiply-adds, lifetimes of its tensors. Numbers only; text and
 * pictures are made of them elsewhere.
 */
import type { Plan, PlanStep } from '../../src/engine/planner';
import { shapeLength } from '../../src/model/graph';
import type { Shape } from '../../src/model/types';

/** Bytes of a 16-bit value. */
const VALUE_BYTES = 2;

/** A stored tensor: which step makes it, which reads it last, where it lies in the arena. */
export interface TensorLife {
  readonly name: string;
  readonly offsetBytes: number;
  readonly bytes: number;
  readonly firstStep: number;
  readonly lastStep: number;
}

export interface StepCost {
  readonly name: string;
  /** Reads like 'conv 3x3 b1' or 'pool 2x2'. */
  readonly operation: string;
  readonly kernel: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Of the output in the arena. */
  readonly offsetBytes: number;
  readonly multiplyAdds: number;
  /** Bytes of all tensors that are needed while the step runs, its own output among them. */
  readonly liveBytes: number;
}

export interface PlanReport {
  readonly steps: readonly StepCost[];
  readonly lives: readonly TensorLife[];
  /** Bytes of the arena in which the plan places all tensors. */
  readonly peakActivationBytes: number;
  /** Largest `liveBytes`: no placement of these steps needs less. */
  readonly peakLiveBytes: number;
  readonly multiplyAdds: number;
}

/** `kernels` are those of the plan's steps, in order, as a compiled model names them. */
export function reportPlan(plan: Plan, kernels: readonly string[]): PlanReport {
  const lives = tensorLives(plan);
  const steps = plan.steps.map((step, index): StepCost => {
    const live = lives.filter((life) => life.firstStep <= index && life.lastStep >= index);
    return {
      name: step.name,
      operation: operationOf(step),
      kernel: kernels[index] ?? '',
      inputShape: step.inputShape,
      outputShape: step.outputShape,
      offsetBytes: lives[index]?.offsetBytes ?? 0,
      multiplyAdds: multiplyAddsOf(step),
      liveBytes: live.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
  return {
    steps,
    lives,
    peakActivationBytes: plan.arenaLength * VALUE_BYTES,
    peakLiveBytes: Math.max(...steps.map(({ liveBytes }) => liveBytes)),
    multiplyAdds: plan.multiplyAdds,
  };
}

/** In the order in which they are made. The plan's output lives to the end. */
export function tensorLives({ tensors }: Plan): readonly TensorLife[] {
  return tensors.map(({ name, shape, offset, firstStep, lastStep }) => ({
    name,
    offsetBytes: offset * VALUE_BYTES,
    bytes: shapeLength(shape) * VALUE_BYTES,
    firstStep,
    lastStep,
  }));
}

function operationOf(step: PlanStep): string {
  if (step.kind === 'max_pool2d') return 'pool 2x2';
  const { kernel, stride, encoding } = step.node;
  return `conv ${kernel}x${kernel}${stride === 1 ? '' : `/${stride}`} ${encoding}`;
}

function multiplyAddsOf(step: PlanStep): number {
  if (step.kind === 'max_pool2d') return 0;
  return shapeLength(step.outputShape) * step.node.kernel ** 2 * step.inputShape[2];
}
