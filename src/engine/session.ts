/**
 * One model on one backend: compiles each output when it is first asked for, queues calls, and moves to the next backend
 * when a device is lost, so that every call settles. Knows heatmaps, not landmarks.
 */
import { BitmarksError } from '../errors';
import { checkGolden, goldenImage } from '../model/golden';
import { sumHeatmaps, type HeatmapSums } from '../model/heatmap_sums';
import type { Model } from '../model/types';
import type {
  Backend,
  BackendName,
  BackendOptions,
  BackendRefusal,
  CompiledModel,
  EngineFrame,
  EngineInput,
  Heatmaps,
} from './backend';
import { checkEngineFrame, checkEngineInput } from './input';
import { planGraph } from './planner';
import {
  backendOrder,
  loadFactory,
  openBackend,
  type BackendChoice,
  type FactoryLoader,
} from './registry';

export interface SessionOptions {
  readonly backend: BackendChoice;
  readonly engine: BackendOptions;
  /** Run the pack's golden vector first and refuse a backend that computes other heatmaps. */
  readonly selfTest: boolean;
  /** Refinement pass that runs by default, counted from 0; nothing of later ones is compiled. Default: the last. */
  readonly pass?: number;
  /** Called when a backend begins to compile or to be tested. */
  readonly onPhase?: (phase: 'compile' | 'self-test') => void;
  /** How backends are loaded; default: as in browsers and workers. */
  readonly loadFactory?: FactoryLoader;
}

/** What runs and why nothing better does; changes when a lost device made the session move on. */
export interface SessionState {
  readonly backend: BackendName;
  /** GPU or module variant, as the backend names it; empty if it does not. */
  readonly device: string;
  /** Kernel of each step of the default pass. */
  readonly kernels: readonly string[];
  /** Better backends that were not taken or were lost. */
  readonly refusals: readonly BackendRefusal[];
  /** Of all passes compiled so far. */
  readonly bytes: { readonly weights: number; readonly activations: number };
  /** Of the default pass. */
  readonly multiplyAdds: number;
}

/** A backend that runs the model, and what was compiled on it, by output. */
interface Active {
  readonly backend: Backend;
  readonly compiled: Map<string, CompiledModel>;
}

export class Session {
  readonly model: Model;
  readonly #options: SessionOptions;
  readonly #pass: number;
  readonly #defaultOutput: string;
  readonly #multiplyAdds: number;
  /** Backends not tried yet. */
  #remaining: readonly BackendName[];
  #refusals: readonly BackendRefusal[] = [];
  /** Stays after its loss until the next one is open, so that state always has something to say. */
  #active: Active | null = null;
  /** Set while the active backend is lost. */
  #loss: BitmarksError | null = null;
  /** The last call; the next one waits for it. */
  #tail: Promise<unknown> = Promise.resolve();
  /** The whole call that is running, ended by close(). */
  readonly #call = new Interruptible();
  /** Its attempt on the active backend, ended by the loss of the device. */
  readonly #attempt = new Interruptible();
  /** Why the session is over. */
  #end: BitmarksError | null = null;

  private constructor(model: Model, options: SessionOptions) {
    this.model = model;
    this.#options = options;
    this.#remaining = backendOrder(options.backend);
    this.#pass = options.pass ?? model.graph.outputs.length - 1;
    const plan = planGraph(model, this.#outputOf(this.#pass));
    this.#defaultOutput = plan.output;
    this.#multiplyAdds = plan.multiplyAdds;
  }

  /**
   * Opens the best backend that runs the model. Throws 'backend/unavailable' with every reason, or the one code that all
   * refusals share, such as 'pack/golden'; 'options/invalid' for a pass that the model does not have.
   */
  static async create(model: Model, options: SessionOptions): Promise<Session> {
    const session = new Session(model, options);
    await session.#open();
    return session;
  }

  /**
   * Heatmaps of one refinement pass, counted from 0; default: that of the options. Calls run one after the other.
   * Throws 'input/invalid', 'backend/failed', 'closed', or 'device/lost' when no backend is left.
   */
  run(input: EngineInput, pass = this.#pass): Promise<Heatmaps> {
    return this.#enqueue(async () => {
      checkEngineInput(input, this.model.graph.input.shape);
      const output = this.#outputOf(pass);
      return this.#onSomeBackend(async (active) =>
        (await this.#compile(active, output)).run(input),
      );
    });
  }

  /**
   * Sums over the default pass's heatmaps, all that decoding needs to know of them; the result is overwritten by the next call.
   * Throws as `run` does, and 'options/invalid' if the codec is not `softmax`.
   */
  runSums(input: EngineInput): Promise<HeatmapSums> {
    return this.#enqueue(async () => {
      checkEngineInput(input, this.model.graph.input.shape);
      const { codec } = this.model.manifest;
      if (codec.type !== 'softmax') {
        throw new BitmarksError(
          'options/invalid',
          `heatmaps of the codec ${codec.type} have no sums`,
        );
      }
      return this.#onSomeBackend(async (active) => {
        const compiled = await this.#compile(active, this.#defaultOutput);
        return compiled.runSums === undefined
          ? sumHeatmaps(await compiled.run(input), codec)
          : compiled.runSums(input);
      });
    });
  }

  /**
   * Brings a frame to the device at once, beside the call that is running, for calls that will run it under the same id.
   * Throws 'input/invalid'.
   */
  stage(frame: EngineFrame): void {
    checkEngineFrame(frame);
    if (this.#end === null && this.#loss === null) this.#active?.backend.stage?.(frame);
  }

  /** The crop that the default pass saw in its last run with a frame (RGB, HWC). */
  readCrop(): Promise<Uint8Array> {
    return this.#enqueue(() =>
      this.#onSomeBackend(async (active) =>
        (await this.#compile(active, this.#defaultOutput)).readCrop(),
      ),
    );
  }

  /** After a loss: that of the lost backend, with its refusal, until the next one is open. */
  get state(): SessionState {
    const { backend, compiled } = this.#requireActive();
    const all = [...compiled.values()];
    return {
      backend: backend.name,
      device: backend.device ?? '',
      kernels: compiled.get(this.#defaultOutput)?.kernels ?? [],
      refusals: this.#refusals,
      bytes: {
        weights: all.reduce((sum, { bytes }) => sum + bytes.weights, 0),
        activations: all.reduce((sum, { bytes }) => sum + bytes.activations, 0),
      },
      multiplyAdds: this.#multiplyAdds,
    };
  }

  /** Frees the backend; calls that are waiting or running reject with 'closed'. Idempotent. */
  close(): void {
    this.#finish(new BitmarksError('closed', 'the session was closed'));
  }

  async #open(): Promise<void> {
    const order = this.#remaining;
    const { engine, loadFactory: load = loadFactory } = this.#options;
    const opened = await openBackend(order, engine, (backend) => this.#prepare(backend), load);
    const active = opened.prepared;
    this.#remaining = order.slice(order.indexOf(active.backend.name) + 1);
    this.#refusals = [...this.#refusals, ...opened.refusals];
    if (this.#end !== null) {
      active.backend.close();
      throw this.#end;
    }
    this.#active = active;
    this.#loss = null;
    void active.backend.lost.then((reason) => {
      this.#lose(active, reason);
    });
  }

  async #prepare(backend: Backend): Promise<Active> {
    const active: Active = { backend, compiled: new Map() };
    this.#options.onPhase?.('compile');
    const compiled = await this.#compile(active, this.#defaultOutput);
    if (this.#options.selfTest) {
      this.#options.onPhase?.('self-test');
      const { data } = await compiled.run({ kind: 'crop', data: goldenImage(this.model) });
      checkGolden(this.model, this.#pass, data, backend.name);
    }
    return active;
  }

  async #compile({ backend, compiled }: Active, output: string): Promise<CompiledModel> {
    const known = compiled.get(output);
    if (known !== undefined) return known;
    const made = await backend.compile(this.model, planGraph(this.model, output));
    compiled.set(output, made);
    return made;
  }

  #outputOf(pass: number): string {
    const { outputs } = this.model.graph;
    const output = outputs[pass];
    if (output !== undefined) return output;
    throw new BitmarksError(
      'options/invalid',
      `the model has no pass ${pass}, expected 0 to ${outputs.length - 1}`,
    );
  }

  #enqueue<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => {
      if (this.#end !== null) throw this.#end;
      return this.#call.run(call());
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Runs the action on the active backend, and again on the next one each time a device is lost. */
  async #onSomeBackend<T>(action: (active: Active) => Promise<T>): Promise<T> {
    for (;;) {
      const active = await this.#usable();
      try {
        return await this.#attempt.run(action(active));
      } catch (error) {
        if (!(error instanceof BitmarksError) || error.code !== 'device/lost') throw error;
        this.#lose(active, error.message);
      }
    }
  }

  /** The active backend, or the next one if that is lost. Ends the session when none is left. */
  async #usable(): Promise<Active> {
    if (this.#loss !== null) {
      const { message } = this.#loss;
      try {
        await this.#open();
      } catch (cause) {
        const detail = cause instanceof Error ? cause.message : String(cause);
        this.#finish(new BitmarksError('device/lost', `${message}; ${detail}`, { cause }));
      }
    }
    if (this.#end !== null) throw this.#end;
    return this.#requireActive();
  }

  #lose(active: Active, reason: string): void {
    if (this.#active !== active || this.#loss !== null || this.#end !== null) return;
    this.#loss = new BitmarksError('device/lost', reason);
    this.#refusals = [...this.#refusals, { backend: active.backend.name, reason }];
    active.backend.close();
    this.#attempt.interrupt(this.#loss);
    // Open the next backend now rather than in the next frame. A failure is kept for the calls to come.
    this.#enqueue(() => this.#usable()).catch(() => undefined);
  }

  #finish(end: BitmarksError): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#active?.backend.close();
    this.#call.interrupt(end);
  }

  #requireActive(): Active {
    if (this.#active === null) throw new BitmarksError('closed', 'the session was not opened');
    return this.#active;
  }
}

/** Runs one promise at a time that can be rejected from outside, in case it never settles by itself. */
class Interruptible {
  #reject: ((error: BitmarksError) => void) | null = null;

  run<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      promise.then(resolve, reject);
    });
  }

  /** Does nothing to a promise that has settled. */
  interrupt(error: BitmarksError): void {
    this.#reject?.(error);
  }
}
