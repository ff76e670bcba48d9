/**
 * A plan bound to WASM memory: which kernels its steps take, where everything lies, and the calls of a frame in order.
 * One block of the arena holds it all. Knows no URLs and no feature tests.
 */
import { BitmarksError } from '../../errors';
import type { Model } from '../../model/types';
import { unpackWeights } from '../../model/weights';
import type { CompiledModel, EngineInput, Heatmaps } from '../backend';
import { checkEngineInput } from '../input';
import type { ConvStep, MaxPoolStep, Plan, PlanStep } from '../planner';
import type { MemoryArena } from './arena';
import {
  activationImage,
  activationKernel,
  dispatchActivations,
  haveSameActivations,
  largestActivation,
  type ActivationSources,
} from './kernels/activations';
import { CONV2D_MASKS } from './kernels/conv2d_masks';
import { CONV2D_PAIRS } from './kernels/conv2d_pairs';
import { CONV2D_QUADS, CONV2D_SPLIT_QUADS } from './kernels/conv2d_quads';
import { CONV2D_WIDE } from './kernels/conv2d_wide';
import { cropToMemory, type CropHost } from './kernels/crop';
import {
  runOctsOf,
  type ConvKernel,
  type ConvWeights,
  type KernelHost,
  type StepCall,
} from './kernels/kernel';
import { dispatchMaxPool, MAX_POOL2D_NAME } from './kernels/max_pool2d';

/** Best first. */
const CONV_KERNELS = [
  CONV2D_QUADS,
  CONV2D_PAIRS,
  CONV2D_SPLIT_QUADS,
  CONV2D_MASKS,
  CONV2D_WIDE,
] as const;

/** Kernels load whole vectors: up to 7 activations past an image, 14 bytes past features, multipliers and biases. */
const SLACK_BYTES = 32;
const ALIGNMENT = 16;

/** What a compiled model needs of its backend. */
export interface ModelHost extends CropHost {
  readonly arena: MemoryArena;
}

/** Places tensors one after the other; addresses are relative until the block is allocated. */
class Placement {
  sizeBytes = 0;

  place(bytes: number): number {
    const offset = this.sizeBytes;
    this.sizeBytes += Math.ceil((bytes + SLACK_BYTES) / ALIGNMENT) * ALIGNMENT;
    return offset;
  }
}

/** Constants of the model: laid-out weights and norms, each placed once whichever steps share it. */
class Constants {
  readonly placement: Placement;
  private readonly model: Model;
  private readonly placed = new Map<string, { offset: number; values: ArrayBufferView }>();
  private readonly unpacked = new Map<string, ConvWeights>();

  constructor(model: Model, placement: Placement) {
    this.model = model;
    this.placement = placement;
  }

  unpack(name: string): ConvWeights {
    const known = this.unpacked.get(name);
    if (known !== undefined) return known;
    const tensor = this.model.weights.get(name);
    if (tensor === undefined) throw failed(`the model has no weights ${JSON.stringify(name)}`);
    const weights = { ...tensor, values: unpackWeights(tensor) };
    this.unpacked.set(name, weights);
    return weights;
  }

  weights(name: string, kernel: ConvKernel): number {
    return this.offset(`weights ${name}`, () => kernel.layOut(this.unpack(name)));
  }

  norm(name: string): { multiplier: number; bias: number; shift: number } {
    const norm = this.model.norms.get(name);
    if (norm === undefined) throw failed(`the model has no norm ${JSON.stringify(name)}`);
    return {
      multiplier: this.offset(`multiplier ${name}`, () => norm.multiplier),
      bias: this.offset(`bias ${name}`, () => norm.bias),
      shift: norm.shift,
    };
  }

  write(arena: MemoryArena, base: number): void {
    for (const { offset, values } of this.placed.values()) arena.write(base + offset, values);
  }

  private offset(key: string, make: () => ArrayBufferView): number {
    const known = this.placed.get(key);
    if (known !== undefined) return known.offset;
    const values = make();
    const offset = this.placement.place(values.byteLength);
    this.placed.set(key, { offset, values });
    return offset;
  }
}

/** A step with its kernel and the offsets of its constants. */
interface ChosenStep {
  readonly name: string;
  /** Bytes of the shared activation image that the step needs. */
  readonly activationBytes: number;
  /** Makes the calls once the base address is known. */
  readonly bind: (addresses: Addresses) => readonly StepCall[];
}

/** Absolute addresses. */
interface Addresses {
  readonly base: number;
  readonly image: number;
  readonly activations: number;
  readonly buffer: (index: number) => number;
}

/** Compiles a plan; the returned model owns one block of the arena until closed. */
export function compileModel(
  host: ModelHost,
  model: Model,
  plan: Plan,
  onClose: (model: CompiledModel) => void,
): CompiledModel {
  const { arena } = host;
  const placement = new Placement();
  const constants = new Constants(model, placement);
  const steps = chooseSteps(host, constants, plan.steps);
  const weightBytes = placement.sizeBytes;
  const [height, width, channels] = plan.inputShape;
  const image = placement.place(height * width * channels);
  const activations = placement.place(Math.max(0, ...steps.map((step) => step.activationBytes)));
  const buffers = plan.buffers.map(({ length }) => placement.place(length * 2));

  const base = arena.allocate(placement.sizeBytes);
  constants.write(arena, base);
  const addresses: Addresses = {
    base,
    image: base + image,
    activations: base + activations,
    buffer: (index) => {
      const offset = buffers[index];
      if (offset === undefined) throw failed(`the plan has no buffer ${index}`);
      return base + offset;
    },
  };
  return new WasmModel(host, plan, {
    kernels: steps.map(({ name }) => name),
    calls: steps.flatMap((step) => step.bind(addresses)),
    addresses,
    bytes: { weights: weightBytes, activations: placement.sizeBytes - weightBytes },
    onClose,
  });
}

/**
 * A kernel for each step. Two convolutions may read one requantized tensor; the second then finds the activations in place,
 * unless a step between them made others or wrote what they were made of.
 */
function chooseSteps(
  host: KernelHost,
  constants: Constants,
  steps: readonly PlanStep[],
): readonly ChosenStep[] {
  let last: KernelStep | null = null;
  return steps.map((step) => {
    if (step.kind === 'max_pool2d') {
      if (last !== null && readsBuffer(last.step, step.outputBuffer)) last = null;
      return choosePool(host, step);
    }
    const chosen: KernelStep = { step, kernel: kernelFor(host, step) };
    const shared =
      last !== null &&
      last.kernel.activationBytes === chosen.kernel.activationBytes &&
      haveSameActivations(last.step, step);
    last = readsBuffer(step, step.outputBuffer) ? null : chosen;
    return chooseConv(host, constants, chosen, shared);
  });
}

interface KernelStep {
  readonly step: ConvStep;
  readonly kernel: ConvKernel;
}

function kernelFor(host: KernelHost, { name, node }: ConvStep): ConvKernel {
  const kernel = CONV_KERNELS.find((candidate) => candidate.supports(node.encoding, host));
  if (kernel === undefined) throw failed(`step ${name} has no kernel for ${node.encoding}`);
  return kernel;
}

function readsBuffer({ source }: ConvStep, buffer: number): boolean {
  return source.kind === 'parts' && source.parts.some((part) => part.buffer === buffer);
}

function choosePool(host: KernelHost, step: MaxPoolStep): ChosenStep {
  return {
    name: MAX_POOL2D_NAME,
    activationBytes: 0,
    bind: ({ buffer }) => [
      dispatchMaxPool(host, step, buffer(step.inputBuffer), buffer(step.outputBuffer)),
    ],
  };
}

function chooseConv(
  host: KernelHost,
  constants: Constants,
  { step, kernel }: KernelStep,
  shared: boolean,
): ChosenStep {
  const { node, source } = step;
  const weights = constants.unpack(node.weight);
  const weightsOffset = constants.weights(node.weight, kernel);
  const norm = source.kind === 'parts' ? constants.norm(source.norm) : null;
  return {
    name: `${activationKernel(step, shared)}+conv2d_${node.encoding}_${kernel.name}`,
    activationBytes: activationImage(step, kernel.activationBytes, 0).sizeBytes,
    bind: ({ base, image, activations, buffer }) => {
      const target = activationImage(step, kernel.activationBytes, activations);
      const sources: ActivationSources = {
        image,
        buffer,
        norm: (name) => {
          if (norm === null) throw failed(`step ${step.name} has no norm ${name}`);
          return { ...norm, multiplier: base + norm.multiplier, bias: base + norm.bias };
        },
      };
      const [height, width, outChannels] = step.outputShape;
      // Without padding and stride all pixels form one row, so that tiles of four pixels cross row ends.
      const flat = node.kernel === 1 && node.stride === 1;
      return [
        ...(shared ? [] : dispatchActivations(host, step, target, sources)),
        kernel.dispatch(
          host,
          [
            activations,
            base + weightsOffset,
            buffer(step.outputBuffer),
            flat ? 1 : height,
            flat ? height * width : width,
            outChannels,
            node.kernel,
            runOctsOf(weights),
            target.rowBytes,
            node.stride * target.rowBytes,
            node.stride * target.pixelBytes,
            node.shift,
          ],
          weights,
          largestActivation(step),
        ),
      ];
    },
  };
}

/** What compileModel hands to the model. */
interface CompiledParts {
  readonly kernels: readonly string[];
  readonly calls: readonly StepCall[];
  readonly addresses: Addresses;
  readonly bytes: CompiledModel['bytes'];
  readonly onClose: (model: CompiledModel) => void;
}

class WasmModel implements CompiledModel {
  readonly kernels: readonly string[];
  readonly bytes: CompiledModel['bytes'];
  private readonly host: ModelHost;
  private readonly plan: Plan;
  private readonly parts: CompiledParts;
  /** The last crop of a frame: still in the image's memory, or saved when other bytes took its place. */
  private crop: 'none' | 'image' | Uint8Array = 'none';
  private closed = false;

  constructor(host: ModelHost, plan: Plan, parts: CompiledParts) {
    this.host = host;
    this.plan = plan;
    this.parts = parts;
    this.kernels = parts.kernels;
    this.bytes = parts.bytes;
  }

  run(input: EngineInput): Promise<Heatmaps> {
    return Promise.resolve().then(() => this.runSync(input));
  }

  runSync(input: EngineInput): Heatmaps {
    this.checkOpen();
    this.loadImage(input);
    try {
      for (const call of this.parts.calls) call();
    } catch (cause) {
      throw new BitmarksError('backend/failed', 'a WASM kernel trapped', { cause });
    }
    const [height, width, channels] = this.plan.outputShape;
    const address = this.parts.addresses.buffer(this.plan.outputBuffer);
    const { buffer } = this.host.arena.memory;
    const data = new Int16Array(buffer, address, height * width * channels).slice();
    return { data, height, width, channels };
  }

  readCrop(): Promise<Uint8Array> {
    return Promise.resolve().then(() => {
      this.checkOpen();
      if (this.crop === 'none') throw failed('there is no crop yet; run a frame first');
      return this.crop === 'image' ? this.imageBytes() : this.crop.slice();
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.host.arena.release(this.parts.addresses.base);
    this.parts.onClose(this);
  }

  private loadImage(input: EngineInput): void {
    checkEngineInput(input, this.plan.inputShape);
    const [height, width] = this.plan.inputShape;
    const { image } = this.parts.addresses;
    if (input.kind === 'crop') {
      if (this.crop === 'image') this.crop = this.imageBytes();
      this.host.arena.write(image, input.data);
      return;
    }
    cropToMemory(this.host, input, height, width, image);
    this.crop = 'image';
  }

  private imageBytes(): Uint8Array {
    const [height, width, channels] = this.plan.inputShape;
    const { buffer } = this.host.arena.memory;
    return new Uint8Array(buffer, this.parts.addresses.image, height * width * channels).slice();
  }

  private checkOpen(): void {
    if (this.closed) throw new BitmarksError('closed', 'this compiled model was closed');
  }
}

function failed(message: string): BitmarksError {
  return new BitmarksError('backend/failed', message);
}
