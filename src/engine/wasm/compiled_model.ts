/**
 * A plan bound to WASM memory: where everything lies, and the calls of a frame in order, for one thread and for a team. One
 * block of the arena holds tensors and constants. Knows no URLs and no feature tests.
 */
import { BitmarksError } from '../../errors';
import { shapeLength } from '../../model/graph';
import type { Model } from '../../model/types';
import { layOutArena, type Block } from '../arena_layout';
import type { CompiledModel, EngineInput, Heatmaps } from '../backend';
import { checkEngineInput } from '../input';
import type { Plan } from '../planner';
import type { MemoryArena } from './arena';
import { EXPORTS } from './instance';
import { cropToMemory, type CropHost } from './kernels/crop';
import { rowsOf } from './kernels/rows';
import { Constants, Placement } from './model_memory';
import { encodePrograms, runProgram, type KernelFunction, type StepCalls } from './program';
import { chooseSteps, type Addresses, type ChosenStep, type StepHost } from './steps';
import type { Start } from './threads/rendezvous';
import type { Team } from './threads/team';

/** Bytes of a vector. */
const ARENA_ALIGNMENT = 16;

/** What a compiled model needs of its backend. */
export interface ModelHost extends CropHost, StepHost {
  readonly arena: MemoryArena;
  /** As programs number them. */
  readonly functions: readonly KernelFunction[];
  /** Null where there is one thread. */
  readonly team: Team | null;
  /** Called after each frame that was cropped here. */
  readonly frameDone: () => void;
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
  const { offsets, size } = layOutArena(blocksOf(plan, steps), ARENA_ALIGNMENT);
  const tensors = placement.place(size);

  const base = arena.allocate(placement.sizeBytes);
  constants.write(arena, base);
  const addressOf = (block: number): number => {
    const offset = offsets[block];
    if (offset === undefined) throw failed(`the plan has no block ${block}`);
    return base + tensors + offset;
  };
  const addresses: Addresses = {
    base,
    image: base + image,
    tensor: (index) => addressOf(index),
    activations: (step) => addressOf(plan.tensors.length + step),
  };
  const programs = (threads: number, leastSharedWork: number): readonly Int32Array<ArrayBuffer>[] =>
    encodePrograms(
      steps.map((step) => shareStep(step, addresses, step.work < leastSharedWork ? 1 : threads)),
      threads,
      EXPORTS[host.exports.variant],
    );
  const [alone = new Int32Array()] = programs(1, 0);
  const { team } = host;
  return new WasmModel(host, plan, {
    kernels: steps.map(({ name }) => name),
    alone,
    shared: team && placePrograms(arena, programs(team.threads, team.leastSharedWork)),
    addresses,
    bytes: { weights: weightBytes, activations: placement.sizeBytes - weightBytes },
    onClose,
  });
}

/** The plan's tensors and then, by the step that makes them, activation images: they live until the last step that reads them. */
function blocksOf(plan: Plan, steps: readonly ChosenStep[]): readonly Block[] {
  const tensors = plan.tensors.map(({ shape, ...life }) => ({
    ...life,
    size: shapeLength(shape) * 2,
  }));
  const images = steps.map(({ activations }, index) => ({
    size: activations?.step === index ? activations.bytes : 0,
    firstStep: index,
    lastStep: Math.max(
      index,
      steps.findLastIndex((step) => step.activations?.step === index),
    ),
  }));
  return [...tensors, ...images];
}

/** The calls of a step for each thread that has a row of it. */
function shareStep(step: ChosenStep, addresses: Addresses, threads: number): StepCalls {
  const sharers = Math.min(threads, step.outputRows);
  return Array.from({ length: sharers }, (_, thread) =>
    step.bind(addresses, rowsOf(step.outputRows, thread, sharers), thread),
  );
}

/** The programs of all threads in memory that they share, at equal distances. */
interface SharedPrograms {
  readonly start: Start;
  readonly own: Int32Array;
}

function placePrograms(arena: MemoryArena, programs: readonly Int32Array[]): SharedPrograms {
  const [own = new Int32Array()] = programs;
  const words = own.length;
  const address = arena.allocate(words * programs.length * 4);
  programs.forEach((program, thread) => {
    arena.write(address + thread * words * 4, program);
  });
  return { start: { address, words }, own };
}

/** What compileModel hands to the model. */
interface CompiledParts {
  readonly kernels: readonly string[];
  /** The program of one thread. */
  readonly alone: Int32Array;
  /** The programs of the team, if there is one. */
  readonly shared: SharedPrograms | null;
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
    this.runProgram();
    const [height, width, channels] = this.plan.outputShape;
    const address = this.parts.addresses.tensor(this.plan.tensors.length - 1);
    const { buffer } = this.host.arena.memory;
    const data = new Int16Array(buffer, address, height * width * channels).slice();
    if (input.kind === 'frame') this.host.frameDone();
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
    if (this.parts.shared !== null) this.host.arena.release(this.parts.shared.start.address);
    this.parts.onClose(this);
  }

  private runProgram(): void {
    const { team, functions } = this.host;
    const { alone, shared } = this.parts;
    if (team?.end === null && shared !== null) {
      team.run(shared.start, shared.own, functions);
      return;
    }
    try {
      runProgram(alone, functions, () => undefined);
    } catch (cause) {
      throw new BitmarksError('backend/failed', 'a WASM kernel trapped', { cause });
    }
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
