/**
 * The options of the landmarkers: their types, checks and defaults. The only place where defaults exist. No capture, no
 * calls; reads no DOM.
 */
import { BitmarksError } from '../errors';
import {
  WEBGPU_TILES,
  WEBGPU_VARIANTS,
  type BackendChoice,
  type DetectOptions,
  type LoadProgress,
  type WebgpuKernelName,
} from '../protocol/service';

/** 'auto' takes the best backend that runs here; a name takes that one or fails. 'GPU' is 'auto', 'CPU' is 'wasm'. */
export type Delegate = BackendChoice | 'GPU' | 'CPU';

/** URL of a pack, relative to the page, or its bytes (which are copied). */
export type ModelSource = string | URL | ArrayBuffer | Uint8Array;

/** Packs of one task. */
export type ModelVariant = 'standard' | 'full';

/** What all landmarkers take. All optional; names follow MediaPipe Tasks where it has the same thing. */
export interface LandmarkerOptions {
  /** Default: the task's landmark pack beside the script. */
  readonly model?: ModelSource | undefined;
  /** Which of the task's packs beside the script: 'full' reads with a wider network, and the mirror image too. Default 'standard'. */
  readonly variant?: ModelVariant | undefined;
  /** How often the network refines its first heatmaps, 0..1; less is faster. Default: as often as the pack can. */
  readonly refinements?: number | undefined;
  /**
   * Pack that finds subjects for the model. Default: the task's finder beside the script if this build has one. Null, or a
   * build without: windows of the frame are tried with the landmark network.
   */
  readonly finder?: ModelSource | null | undefined;
  /** Default 'auto': WebGPU, else WASM. */
  readonly delegate?: Delegate | undefined;
  /** The same two as MediaPipe Tasks spells them. */
  readonly baseOptions?:
    | {
        readonly modelAssetPath?: string | undefined;
        readonly modelAssetBuffer?: Uint8Array | undefined;
        readonly delegate?: Delegate | undefined;
      }
    | undefined;
  /** Accepted for compatibility and not needed: the method that is called decides. */
  readonly runningMode?: 'IMAGE' | 'VIDEO' | undefined;
  /** Least landmark score for following a subject into the next frame, 0..1. Default: somewhat below that of a new one. */
  readonly minTrackingConfidence?: number | undefined;
  /** Smooth landmarks over time in track and detectForVideo. Default true. */
  readonly smoothing?: boolean | undefined;
  /** Check the packs' golden vectors on the chosen backend, and refuse a backend that computes them wrongly. Default true. */
  readonly selfTest?: boolean | undefined;
  /**
   * Threads of the WASM engine, 1..16. Default: one for each core, up to 4, in pages that are cross-origin isolated; elsewhere
   * there is one, and info.device says why.
   */
  readonly threads?: number | undefined;
  /**
   * Convolution kernels that the WebGPU engine takes before those that it expects to be fastest, best first: a variant ('dot4',
   * 'shift', 'bitplanes', 'subgroup', 'storage'), or a variant with a tile ('dot4_4x4'). The results are the same bits. A kernel
   * that cannot run is left out: info.kernels names what runs, info.device what the GPU cannot. Default: none.
   */
  readonly webgpuKernels?: readonly WebgpuKernelName[] | undefined;
  /**
   * Keep copies of packs and WASM modules (Cache API) for visits without a network. A new release on the server is still seen
   * at once. Default true.
   */
  readonly cache?: boolean | undefined;
  /** Folder that holds the package's other files. Default: where the script lies. */
  readonly assetBase?: string | URL | undefined;
  /** Worker script. Default: `bitmarks.worker.js` in the folder above. */
  readonly workerUrl?: string | URL | undefined;
  /** Called while the pack is downloaded and prepared. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Aborts create. */
  readonly signal?: AbortSignal | undefined;
}

export interface FaceLandmarkerOptions extends LandmarkerOptions {
  /** Most faces to report, 1..16. Default 1. */
  readonly numFaces?: number | undefined;
  /** Least score that the finder, or without one the landmarks, give a new face, 0..1. Default: theirs. */
  readonly minFaceDetectionConfidence?: number | undefined;
  /** Least landmark score of any reported face, 0..1. Default: the model's for new faces, in a stream 0.3 at least. */
  readonly minFacePresenceConfidence?: number | undefined;
}

export interface PoseLandmarkerOptions extends LandmarkerOptions {
  /** Most people to report, 1..16. Default 1. */
  readonly numPoses?: number | undefined;
  /** Least score that the finder, or without one the landmarks, give a new person, 0..1. Default: theirs. */
  readonly minPoseDetectionConfidence?: number | undefined;
  /** Least landmark score of any reported person, 0..1. Default: the model's for new people, in a stream 0.2 at least. */
  readonly minPosePresenceConfidence?: number | undefined;
}

/** What a task calls the options that every task has under a name of its own. */
export interface OptionNames {
  readonly count: string;
  readonly detection: string;
  readonly presence: string;
}

export const FACE_OPTIONS = {
  count: 'numFaces',
  detection: 'minFaceDetectionConfidence',
  presence: 'minFacePresenceConfidence',
} as const satisfies Record<keyof OptionNames, keyof FaceLandmarkerOptions>;

export const POSE_OPTIONS = {
  count: 'numPoses',
  detection: 'minPoseDetectionConfidence',
  presence: 'minPosePresenceConfidence',
} as const satisfies Record<keyof OptionNames, keyof PoseLandmarkerOptions>;

/** Checked options with defaults filled in. Null: not given, whoever uses it knows. */
export interface ResolvedOptions {
  readonly model: ModelSource | null;
  readonly variant: ModelVariant;
  readonly refinements: number | null;
  /** Undefined: the task's own, if there is one. Null: none. */
  readonly finder: ModelSource | null | undefined;
  readonly backend: BackendChoice;
  readonly detect: DetectOptions;
  readonly selfTest: boolean;
  readonly threads: number | null;
  readonly webgpuKernels: readonly WebgpuKernelName[];
  readonly cache: boolean;
  readonly assetBase: string | null;
  readonly workerUrl: string | null;
  readonly onProgress: ((progress: LoadProgress) => void) | null;
  readonly signal: AbortSignal | null;
}

const MAX_SUBJECTS = 16;
const MAX_THREADS = 16;
const MAX_REFINEMENTS = 1;
const WEBGPU_KERNELS: readonly WebgpuKernelName[] = WEBGPU_VARIANTS.flatMap((variant) => [
  variant,
  ...WEBGPU_TILES.map((tile) => `${variant}_${tile}` as const),
]);
const VARIANTS: readonly ModelVariant[] = ['standard', 'full'];
const BACKENDS: Readonly<Record<Delegate, BackendChoice>> = {
  auto: 'auto',
  webgpu: 'webgpu',
  wasm: 'wasm',
  reference: 'reference',
  GPU: 'auto',
  CPU: 'wasm',
};
const NAMES = [
  'model',
  'variant',
  'refinements',
  'finder',
  'delegate',
  'baseOptions',
  'runningMode',
  'minTrackingConfidence',
  'smoothing',
  'selfTest',
  'threads',
  'webgpuKernels',
  'cache',
  'assetBase',
  'workerUrl',
  'onProgress',
  'signal',
] as const satisfies readonly (keyof LandmarkerOptions)[];
const BASE_NAMES = ['modelAssetPath', 'modelAssetBuffer', 'delegate'] as const;

/**
 * Checks the options of a caller who may not use TypeScript. Throws 'options/invalid'; a name that does not exist is only
 * a warning, as code written for other libraries may carry more options.
 */
export function resolveOptions(
  { count, detection, presence }: OptionNames,
  options: unknown = {},
): ResolvedOptions {
  const names = [...NAMES, count, detection, presence];
  const given = new OptionReader(options, 'options', '', names);
  const base = new OptionReader(
    given.raw('baseOptions') ?? {},
    'baseOptions',
    'baseOptions.',
    BASE_NAMES,
  );
  given.oneOf('runningMode', ['IMAGE', 'VIDEO']);
  const delegate = given.oneOf('delegate', Object.keys(BACKENDS));
  const baseDelegate = base.oneOf('delegate', Object.keys(BACKENDS));
  const models = [
    given.model('model'),
    base.model('modelAssetPath'),
    base.model('modelAssetBuffer'),
  ].filter((model) => model !== null);
  if (models.length > 1) {
    throw new BitmarksError(
      'options/invalid',
      'more than one model is given; give one of model, baseOptions.modelAssetPath and baseOptions.modelAssetBuffer',
    );
  }
  const variant = given.oneOf('variant', VARIANTS) as ModelVariant | null;
  if (models.length > 0 && variant !== null) {
    throw new BitmarksError(
      'options/invalid',
      'both a model and a variant are given; a variant is one of the packs beside the script, give one of the two',
    );
  }
  return {
    model: models[0] ?? null,
    variant: variant ?? 'standard',
    refinements: given.count('refinements', 0, MAX_REFINEMENTS),
    finder: given.raw('finder') === null ? null : (given.model('finder') ?? undefined),
    backend: BACKENDS[(delegate ?? baseDelegate ?? 'auto') as Delegate],
    detect: {
      maxSubjects: given.count(count, 1, MAX_SUBJECTS) ?? 1,
      minDetectionConfidence: given.score(detection),
      minPresenceConfidence: given.score(presence),
      minTrackingConfidence: given.score('minTrackingConfidence'),
      smoothing: given.flag('smoothing') ?? true,
    },
    selfTest: given.flag('selfTest') ?? true,
    threads: given.count('threads', 1, MAX_THREADS),
    webgpuKernels: given.kernels('webgpuKernels') ?? [],
    cache: given.flag('cache') ?? true,
    assetBase: given.url('assetBase'),
    workerUrl: given.url('workerUrl'),
    onProgress: given.callback('onProgress'),
    signal: given.signal('signal'),
  };
}

/** Reads the signal of per-call options. Throws 'options/invalid'. */
export function resolveSignal(options: unknown = {}): AbortSignal | null {
  return new OptionReader(options, 'options', '', ['signal']).signal('signal');
}

/** Reads one object of options; null stands for options that are absent or undefined. */
class OptionReader {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #prefix: string;

  constructor(options: unknown, what: string, prefix: string, names: readonly string[]) {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw invalid(what, options, 'an object');
    }
    this.#values = options as Readonly<Record<string, unknown>>;
    this.#prefix = prefix;
    for (const name of Object.keys(options)) {
      if (!names.includes(name)) warnOfName(prefix, name, names);
    }
  }

  raw(name: string): unknown {
    return this.#values[name];
  }

  oneOf(name: string, values: readonly string[]): string | null {
    const list = values.map((value) => `'${value}'`).join(', ');
    return this.#read(name, `one of ${list}`, (value): value is string =>
      values.includes(value as string),
    );
  }

  count(name: string, least: number, most: number): number | null {
    return this.#read(
      name,
      `a whole number from ${least} to ${most}`,
      (value): value is number => Number.isInteger(value) && within(value, least, most),
    );
  }

  score(name: string): number | null {
    return this.#read(name, 'a number from 0 to 1', (value): value is number =>
      within(value, 0, 1),
    );
  }

  kernels(name: string): readonly WebgpuKernelName[] | null {
    const isArray = (value: unknown): value is readonly unknown[] => Array.isArray(value);
    const list = this.#read(name, 'an array of names of kernels', isArray);
    return (
      list?.map((value) => {
        const known = WEBGPU_KERNELS.find((kernel) => kernel === value);
        if (known !== undefined) return known;
        const expected = `${WEBGPU_VARIANTS.join(', ')}, or one of them with a tile: ${WEBGPU_TILES.map((tile) => `_${tile}`).join(', ')}`;
        throw invalid(`an entry of ${this.#prefix}${name}`, value, expected);
      }) ?? null
    );
  }

  flag(name: string): boolean | null {
    return this.#read(name, 'true or false', (value) => typeof value === 'boolean');
  }

  url(name: string): string | null {
    const isUrl = (value: unknown): value is string | URL =>
      typeof value === 'string' || value instanceof URL;
    return this.#read(name, 'a URL', isUrl)?.toString() ?? null;
  }

  model(name: string): ModelSource | null {
    const isModel = (value: unknown): value is ModelSource =>
      (typeof value === 'string' && value !== '') ||
      value instanceof URL ||
      value instanceof ArrayBuffer ||
      value instanceof Uint8Array;
    return this.#read(name, 'a URL, an ArrayBuffer or a Uint8Array of a .bitmarks pack', isModel);
  }

  callback(name: string): ((progress: LoadProgress) => void) | null {
    const isFunction = (value: unknown): value is (progress: LoadProgress) => void =>
      typeof value === 'function';
    return this.#read(name, 'a function', isFunction);
  }

  signal(name: string): AbortSignal | null {
    return this.#read(name, 'an AbortSignal', (value) => value instanceof AbortSignal);
  }

  #read<T>(name: string, expected: string, fits: (value: unknown) => value is T): T | null {
    const value = this.#values[name];
    if (value === undefined) return null;
    if (!fits(value)) throw invalid(`${this.#prefix}${name}`, value, expected);
    return value;
  }
}

function within(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}

function invalid(name: string, value: unknown, expected: string): BitmarksError {
  return new BitmarksError('options/invalid', `${name} is ${show(value)}, expected ${expected}`);
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 60)}'`;
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function warnOfName(prefix: string, name: string, names: readonly string[]): void {
  const near = names.filter((known) => isNear(name.toLowerCase(), known.toLowerCase()));
  const hint =
    near.length > 0
      ? `did you mean ${near.map((known) => prefix + known).join(' or ')}?`
      : `known are ${names.join(', ')}`;
  console.warn(`bitmarks: there is no option ${prefix}${name}; ${hint}`);
}

/** One name is part of the other, or they differ by few letters. */
function isNear(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return (
    (short.length >= 4 && long.includes(short)) || editDistance(a, b) <= Math.ceil(b.length / 4)
  );
}

/** Least number of inserted, removed and replaced letters. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
