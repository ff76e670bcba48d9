/**
 * The WASM backend: picks the module variant, instantiates it, and keeps the memory that compiled models share.
 * The arithmetic is in the kernels, the plan in compiled_model.ts.
 */
import { BitmarksError } from '../../errors';
import type { Model } from '../../model/types';
import type { Backend, BackendFactory, BackendOptions, CompiledModel } from '../backend';
import type { Plan } from '../planner';
import { MemoryArena } from './arena';
import { compileModel, type ModelHost } from './compiled_model';
import type { WasmExports } from './kernels/kernel';
import { fetchModule, fetchModuleOrCopy, type WasmLoader } from './module_loader';
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
  const module = await loadModule(options.wasmUrls[variant]);
  return new WasmBackend(variant, module, report.fusedDot);
}

/** The forced variant, or the best one that runs here. Throws 'backend/unavailable'. */
export function chooseVariant(report: VariantReport, forced?: WasmVariant): WasmVariant {
  const variant = forced ?? (report.relaxed === null ? 'relaxed' : 'simd128');
  const reason = report[variant];
  if (reason !== null)
    throw new BitmarksError('backend/unavailable', `wasm (${variant}): ${reason}`);
  return variant;
}

const COMMON_EXPORTS = ['clearBorder', 'imageNarrow', 'requantizeNarrow', 'maxPool2d', 'crop'];
const EXPORTS: Readonly<Record<WasmVariant, readonly string[]>> = {
  simd128: [...COMMON_EXPORTS, 'imageWide', 'requantizeWide', 'conv2dMasks', 'conv2dWide'],
  relaxed: [...COMMON_EXPORTS, 'conv2dPairs', 'conv2dQuads', 'conv2dSplitQuads'],
};

export class WasmBackend implements Backend {
  readonly name = 'wasm';
  /** Never settles: a WASM module cannot be lost. */
  readonly lost = new Promise<string>(() => undefined);
  readonly variant: WasmVariant;
  /** The module that runs, for `info.device`. */
  readonly device: string;
  private readonly arena = new MemoryArena();
  private readonly host: ModelHost;
  private readonly models = new Set<CompiledModel>();
  private box = { address: 0, bytes: 0 };
  private closed = false;

  constructor(variant: WasmVariant, module: WebAssembly.Module, fusedDot: boolean) {
    this.variant = variant;
    this.device = `WASM ${variant}`;
    const { arena } = this;
    this.host = {
      arena,
      fusedDot,
      memory: arena.memory,
      exports: instantiate(variant, module, arena.memory),
      frameBox: (bytes) => this.frameBox(bytes),
    };
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

function instantiate(
  variant: WasmVariant,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): WasmExports {
  let functions: WebAssembly.Exports;
  try {
    functions = new WebAssembly.Instance(module, { env: { memory } }).exports;
  } catch (cause) {
    throw new BitmarksError(
      'backend/unavailable',
      `the ${variant} WASM module could not be instantiated; serve the .wasm file of this release`,
      { cause },
    );
  }
  const made = { variant, functions };
  if (!hasExports(made)) {
    throw new BitmarksError(
      'backend/unavailable',
      `the ${variant} WASM module is of another release: expected the functions ${EXPORTS[variant].join(', ')}`,
    );
  }
  return made;
}

function hasExports(made: {
  readonly variant: WasmVariant;
  readonly functions: WebAssembly.Exports;
}): made is { variant: WasmVariant; functions: WebAssembly.Exports } & WasmExports {
  return EXPORTS[made.variant].every((name) => typeof made.functions[name] === 'function');
}
