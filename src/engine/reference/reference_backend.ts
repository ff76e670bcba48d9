/**
 * The oracle: runs a plan with the plain loops of model/numerics.ts, nothing fused beyond what the plan says, nothing
 * optimized. Every other backend must give these values. For tests, tools and pages that ask for it by name.
 */
import { BitmarksError } from '../../errors';
import { cropFrame } from '../../model/crop';
import { shapeLength } from '../../model/graph';
import {
  conv2d,
  imageActivations,
  maxPool2d,
  requantize,
  upsample2d,
  type Activations,
  type Feature,
} from '../../model/numerics';
import type { Model, NormTensor } from '../../model/types';
import { unpackWeights } from '../../model/weights';
import type { Backend, CompiledModel, EngineInput, Heatmaps } from '../backend';
import type { ConvStep, Plan, PlanPart } from '../planner';

/** Makes the reference backend; it needs nothing and runs everywhere. */
export function createReferenceBackend(): Promise<Backend> {
  const compiled = new Set<ReferenceModel>();
  return Promise.resolve({
    name: 'reference',
    // No device, so nothing to lose: this promise stays pending.
    lost: new Promise<string>(() => undefined),
    compile: (model, plan) =>
      settle(() => {
        const made = new ReferenceModel(model, plan);
        compiled.add(made);
        return made;
      }),
    close: () => {
      for (const model of compiled) model.close();
      compiled.clear();
    },
  });
}

/** The value or the error of a synchronous function as a promise. */
function settle<T>(compute: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(compute());
  });
}

class ReferenceModel implements CompiledModel {
  readonly kernels: readonly string[];
  readonly bytes: { readonly weights: number; readonly activations: number };
  private readonly plan: Plan;
  private readonly norms: Model['norms'];
  private weights: ReadonlyMap<string, Int8Array>;
  /** All tensors of the plan, each where the plan puts it. */
  private arena: Int16Array;
  private crop: Uint8Array | null = null;
  private closed = false;

  constructor(model: Model, plan: Plan) {
    this.plan = plan;
    this.norms = model.norms;
    this.weights = unpackAll(model, plan);
    this.arena = new Int16Array(plan.arenaLength);
    this.kernels = plan.steps.map(({ kind }) => `${kind}_reference`);
    this.bytes = {
      weights: sumBytes([...this.weights.values()]),
      activations: this.arena.byteLength,
    };
  }

  run(input: EngineInput): Promise<Heatmaps> {
    return settle(() => this.runSync(input));
  }

  readCrop(): Promise<Uint8Array> {
    return settle(() => {
      if (this.crop === null) {
        throw new BitmarksError('backend/failed', 'there is no crop yet; run a frame first');
      }
      return this.crop.slice();
    });
  }

  close(): void {
    this.closed = true;
    this.weights = new Map();
    this.arena = new Int16Array();
    this.crop = null;
  }

  runSync(input: EngineInput): Heatmaps {
    if (this.closed) throw new BitmarksError('closed', 'this compiled model was closed');
    const [height, width] = this.plan.inputShape;
    const image = input.kind === 'crop' ? input.data : cropFrame(input, height, width);
    if (input.kind === 'frame') this.crop = image;
    this.plan.steps.forEach((step, index) => {
      const output =
        step.kind === 'conv2d'
          ? this.convolve(step, image)
          : maxPool2d(this.feature(step.inputTensor));
      this.feature(index).data.set(output.data);
    });
    const { data, shape } = this.feature(this.plan.tensors.length - 1);
    return { data: data.slice(), height: shape[0], width: shape[1], channels: shape[2] };
  }

  private convolve(step: ConvStep, image: Uint8Array): Feature {
    return conv2d(
      this.activations(step, image),
      lookUp(this.weights, step.node.weight, step),
      step.node,
    );
  }

  private activations({ source, inputShape, ...step }: ConvStep, image: Uint8Array): Activations {
    if (source.kind === 'image') return imageActivations(image, inputShape, source.inputShift);
    const parts = source.parts.map((part) => this.part(part));
    return requantize(parts, lookUp<NormTensor>(this.norms, source.norm, step), source.inputBits);
  }

  private part({ tensor, upsample }: PlanPart): Feature {
    const stored = this.feature(tensor);
    return upsample ? upsample2d(stored) : stored;
  }

  private feature(index: number): Feature & { readonly data: Int16Array } {
    const tensor = this.plan.tensors[index];
    if (tensor === undefined) throw new BitmarksError('backend/failed', `no tensor ${index}`);
    const { offset, shape } = tensor;
    return { data: this.arena.subarray(offset, offset + shapeLength(shape)), shape };
  }
}

function unpackAll(model: Model, plan: Plan): ReadonlyMap<string, Int8Array> {
  const weights = new Map<string, Int8Array>();
  for (const step of plan.steps) {
    if (step.kind !== 'conv2d' || weights.has(step.node.weight)) continue;
    weights.set(step.node.weight, unpackWeights(lookUp(model.weights, step.node.weight, step)));
  }
  return weights;
}

function lookUp<T>(map: ReadonlyMap<string, T>, name: string, step: { readonly name: string }): T {
  const value = map.get(name);
  if (value === undefined) {
    throw new BitmarksError(
      'backend/failed',
      `step ${step.name} needs the parameter ${JSON.stringify(name)}, which the model lacks`,
    );
  }
  return value;
}

function sumBytes(arrays: readonly { readonly byteLength: number }[]): number {
  return arrays.reduce((sum, array) => sum + array.byteLength, 0);
}
