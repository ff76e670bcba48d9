/**
 * The WASM backend: picks the module variant and the number of threads, and keeps the memory that compiled models share.
 * The arithmetic is in the kernels, the plan in compiled_model.ts.
 */
import { BitmarksError } from '../../errors';
import type { Model } from '../../model/types';
import type {
  Backend,
  BackendFactory,
  BackendOptions,
  CompiledModel,
  WasmThreads,
} from '../backend';
import { openAssetCache } from '../asset_cache';
import type { Plan } from '../planner';
import { MemoryArena } from './arena';
import { compileModel, type ModelHost } from './compiled_model';
import { functionsOf, instantiate } from './instance';
import { THREAD_BYTES } from './kernels/kernel';
import { fetchModule, fetchModuleOrCopy, type WasmLoader } from './module_loader';
import { chooseKernels, type KernelChoice, type MeasuredKernels } from './tuning';
import { keepMeasured, readMeasured } from './tuning_cache';
import { chooseThreads, Team } from './threads/team';
import { probeVariants, type VariantReport, type WasmVariant } from './variant';

/** By then the first frame's landmarks are with the page, searched for or not. */
const MEASURE_AFTER_MS = 500;

/** Backend over fetch. Throws 'backend/unavailable' without SIMD, for a forced variant that cannot run, or without the file. */
export const createWasmBackend: BackendFactory = (options) =>
  createWasmBackendWith(options.cache === true ? fetchModuleOrCopy : fetchModule, options);

/** The same with another way to get a module, such as Node's files. */
export async function createWasmBackendWith(
  loadModule: WasmLoader,
  options: BackendOptions,
  report: VariantReport = probeVariants(),
): Promise<WasmBackend> {
  const variant = chooseVariant(report, options.wasmVariant);
  const { fusedDot } = report;
  const tuning = await tuningOf(options, variant);
  const { threads, reason } = chooseThreads(options.wasmThreads);
  let refusal = reason;
  if (options.wasmThreads !== undefined && threads > 1) {
    try {
      return await createThreaded(
        loadModule,
        variant,
        fusedDot,
        tuning,
        options.wasmThreads,
        threads,
      );
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
  }
  const module = await loadModule(options.wasmUrls[variant]);
  return new WasmBackend(variant, module, fusedDot, { refusal, tuning });
}

/** How kernels are chosen: as asked for, or by what was kept of an earlier visit. */
interface Tuning {
  readonly choice: BackendOptions['wasmKernels'];
  readonly kept: MeasuredKernels | null;
  readonly keep: (measured: MeasuredKernels) => void;
}

async function tuningOf(
  { wasmKernels: choice, wasmUrls, cache }: BackendOptions,
  variant: WasmVariant,
): Promise<Tuning> {
  if (choice !== undefined || cache !== true) return { choice, kept: null, keep: () => undefined };
  const url = wasmUrls[variant];
  const copies = await openAssetCache();
  return {
    choice,
    kept: await readMeasured(url, copies),
    keep: (measured) => void keepMeasured(url, measured, copies),
  };
}

async function createThreaded(
  loadModule: WasmLoader,
  variant: WasmVariant,
  fusedDot: boolean,
  tuning: Tuning,
  { urls, ...options }: WasmThreads,
  threads: number,
): Promise<WasmBackend> {
  const module = await loadModule(urls[variant]);
  const arena = new MemoryArena(threads * THREAD_BYTES, true);
  const { memory } = arena;
  const team = await Team.start({ ...options, variant, module, memory, threads });
  return new WasmBackend(variant, module, fusedDot, { tuning, arena, team });
}

/** The forced variant, or the best one that runs here. Throws 'backend/unavailable'. */
export function chooseVariant(report: VariantReport, forced?: WasmVariant): WasmVariant {
  const variant = forced ?? (report.relaxed === null ? 'relaxed' : 'simd128');
  const reason = report[variant];
  if (reason !== null)
    throw new BitmarksError('backend/unavailable', `wasm (${variant}): ${reason}`);
  return variant;
}

export class WasmBackend implements Backend {
  readonly name = 'wasm';
  /** Never settles: a WASM module cannot be lost. */
  readonly lost = new Promise<string>(() => undefined);
  readonly variant: WasmVariant;
  private readonly arena: MemoryArena;
  private readonly team: Team | null;
  /** Why there is one thread, where there might have been more. */
  private readonly refusal: string | null;
  private readonly host: ModelHost;
  private readonly models = new Set<CompiledModel>();
  private readonly choice: KernelChoice;
  private readonly keepMeasured: (measured: MeasuredKernels) => void;
  private measuring: ReturnType<typeof setTimeout> | undefined;
  private box = { address: 0, bytes: 0 };
  private closed = false;

  /** A team runs over the memory of its arena. */
  constructor(
    variant: WasmVariant,
    module: WebAssembly.Module,
    fusedDot: boolean,
    how: {
      readonly tuning: Tuning;
      readonly arena?: MemoryArena;
      readonly team?: Team;
      readonly refusal?: string | null;
    },
  ) {
    this.variant = variant;
    this.team = how.team ?? null;
    this.refusal = how.refusal ?? null;
    const arena = how.arena ?? new MemoryArena(THREAD_BYTES, false);
    this.arena = arena;
    const exports = instantiate(variant, module, arena.memory, 0);
    this.keepMeasured = how.tuning.keep;
    const { choice, kept } = how.tuning;
    this.choice = chooseKernels(choice, { arena, fusedDot, exports }, kept);
    this.host = {
      arena,
      fusedDot,
      kernels: this.choice.prefer,
      frameDone: () => {
        this.measureSoon();
      },
      memory: arena.memory,
      exports,
      functions: functionsOf(exports),
      team: this.team,
      frameBox: (bytes) => this.frameBox(bytes),
    };
  }

  /** The module that runs, whether its kernels were chosen by measurement, and on how many threads, for `info.device`. */
  get device(): string {
    const how = this.choice.isMeasured ? ', kernels measured' : '';
    const name = `WASM ${this.variant}${how}`;
    if (this.team !== null && this.team.end === null)
      return `${name}, ${this.team.threads} threads`;
    const reason = this.team?.end ?? this.refusal;
    return reason === null ? name : `${name}, 1 thread (${reason})`;
  }

  compile(model: Model, plan: Plan): Promise<CompiledModel> {
    return Promise.resolve().then(() => {
      if (this.closed) throw new BitmarksError('closed', 'this WASM backend was closed');
      const compiled = compileModel(this.host, model, plan, (closing) => {
        this.models.delete(closing);
      });
      this.models.add(compiled);
      return compiled;
    });
  }

  close(): void {
    this.closed = true;
    for (const model of this.models) model.close();
    clearTimeout(this.measuring);
    this.team?.close('the backend was closed');
    this.arena.release(this.box.address);
    this.box = { address: 0, bytes: 0 };
  }

  /** Bytes of memory: what models and the frame hold now, and what the module has from the system. */
  memoryBytes(): { readonly used: number; readonly reserved: number } {
    return { used: this.arena.usedBytes, reserved: this.arena.memory.buffer.byteLength };
  }

  /** Once, after the first frame: what it finds serves the next backend, so that a stream keeps the kernels it started with. */
  private measureSoon(): void {
    this.measuring ??= setTimeout(() => {
      const measured = this.choice.measureForLater();
      if (measured !== null && measured.size > 0) this.keepMeasured(measured);
    }, MEASURE_AFTER_MS);
  }

  /** One block for the box of the frame being cropped, kept between frames and shared by all models. */
  private frameBox(bytes: number): number {
    if (bytes > this.box.bytes) {
      this.arena.release(this.box.address);
      this.box = { address: 0, bytes: 0 };
      this.box = { address: this.arena.allocate(bytes), bytes };
    }
    return this.box.address;
  }
}
