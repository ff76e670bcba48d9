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
import type { Plan } from '../planner';
import { MemoryArena } from './arena';
import { compileModel, type ModelHost } from './compiled_model';
import { functionsOf, instantiate } from './instance';
import { THREAD_BYTES } from './kernels/kernel';
import { fetchModule, fetchModuleOrCopy, type WasmLoader } from './module_loader';
import { preferKernels } from './tuning';
import { chooseThreads, Team } from './threads/team';
import { probeVariants, type VariantReport, type WasmVariant } from './variant';

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
  const kernels = options.wasmKernels;
  const { threads, reason } = chooseThreads(options.wasmThreads);
  let refusal = reason;
  if (options.wasmThreads !== undefined && threads > 1) {
    try {
      return await createThreaded(
        loadModule,
        variant,
        fusedDot,
        kernels,
        options.wasmThreads,
        threads,
      );
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
  }
  const module = await loadModule(options.wasmUrls[variant]);
  return new WasmBackend(variant, module, fusedDot, { refusal, kernels });
}

async function createThreaded(
  loadModule: WasmLoader,
  variant: WasmVariant,
  fusedDot: boolean,
  kernels: BackendOptions['wasmKernels'],
  { urls, ...options }: WasmThreads,
  threads: number,
): Promise<WasmBackend> {
  const module = await loadModule(urls[variant]);
  const arena = new MemoryArena(threads * THREAD_BYTES, true);
  const { memory } = arena;
  const team = await Team.start({ ...options, variant, module, memory, threads });
  return new WasmBackend(variant, module, fusedDot, { kernels, arena, team });
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
  private box = { address: 0, bytes: 0 };
  private closed = false;

  /** A team runs over the memory of its arena. */
  constructor(
    variant: WasmVariant,
    module: WebAssembly.Module,
    fusedDot: boolean,
    how: {
      readonly kernels?: BackendOptions['wasmKernels'];
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
    this.host = {
      arena,
      fusedDot,
      kernels: preferKernels(how.kernels, { arena, fusedDot, exports }),
      memory: arena.memory,
      exports,
      functions: functionsOf(exports),
      team: this.team,
      frameBox: (bytes) => this.frameBox(bytes),
    };
  }

  /** The module that runs and on how many threads, for `info.device`. */
  get device(): string {
    const name = `WASM ${this.variant}`;
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
    this.team?.close('the backend was closed');
    this.arena.release(this.box.address);
    this.box = { address: 0, bytes: 0 };
  }

  /** Bytes of memory: what models and the frame hold now, and what the module has from the system. */
  memoryBytes(): { readonly used: number; readonly reserved: number } {
    return { used: this.arena.usedBytes, reserved: this.arena.memory.buffer.byteLength };
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
