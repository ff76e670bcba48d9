/**
 * The WASM engine with threads, in a worker as on a page: compares it with the reference, measures it, and takes a helper away.
 */
import fc from 'fast-check';
import facePack from '../../../models/face.bitmarks?url';
import type { EngineInput } from '../../../src/engine/backend';
import { planGraph } from '../../../src/engine/planner';
import { createReferenceBackend } from '../../../src/engine/reference/reference_backend';
import relaxed from '../../../src/engine/wasm/build/relaxed.wasm?url';
import relaxedThreads from '../../../src/engine/wasm/build/relaxed_threads.wasm?url';
import simd128 from '../../../src/engine/wasm/build/simd128.wasm?url';
import simd128Threads from '../../../src/engine/wasm/build/simd128_threads.wasm?url';
import { fetchModule } from '../../../src/engine/wasm/module_loader';
import { probeVariants, type WasmVariant } from '../../../src/engine/wasm/variant';
import { createWasmBackendWith, type WasmBackend } from '../../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../../src/model/pack';
import type { Model } from '../../../src/model/types';
import workerUrl from '../../../workers/landmark.worker?worker&url';
import { CONV2D_CASES } from '../../cases/conv2d';
import { MAX_POOL2D_CASES } from '../../cases/max_pool2d';
import { heatmapDifference } from '../../helpers/differences';
import { modelArbitrary, randomImage } from '../../helpers/random_model';

/** `threads` null: the engine chooses. */
export interface ThreadsTask {
  readonly kind: 'compare' | 'lose' | 'measure';
  readonly variant: WasmVariant;
  readonly fusedDot: boolean;
  readonly threads: number | null;
  /** Random graphs to compare. */
  readonly graphs?: number;
  readonly helperUrl?: string;
  readonly patienceMs?: number;
}

/** What a task gives: figures for 'measure', else the first difference there is and the errors of runs. */
export interface ThreadsOutcome {
  readonly device: string;
  readonly difference?: string | null;
  readonly compared?: number;
  readonly errors?: readonly string[];
  readonly deviceAfter?: string;
  readonly bestMs?: number;
}

const absolute = (url: string): string => new URL(url, location.href).href;
const RealWorker = globalThis.Worker;
const helpers: Worker[] = [];
globalThis.Worker = class extends RealWorker {
  constructor(...parameters: ConstructorParameters<typeof Worker>) {
    super(...parameters);
    helpers.push(this);
  }
};

function open(task: ThreadsTask, leastSharedWork?: number): Promise<WasmBackend> {
  return createWasmBackendWith(
    fetchModule,
    {
      wasmUrls: { simd128: absolute(simd128), relaxed: absolute(relaxed) },
      wasmVariant: task.variant,
      wasmThreads: {
        urls: { simd128: absolute(simd128Threads), relaxed: absolute(relaxedThreads) },
        helperUrl: absolute(task.helperUrl ?? workerUrl),
        count: task.threads,
        ...(task.patienceMs === undefined ? {} : { patienceMs: task.patienceMs }),
        ...(leastSharedWork === undefined ? {} : { leastSharedWork }),
      },
    },
    { ...probeVariants(), fusedDot: task.fusedDot },
  );
}

async function faceModel(): Promise<Model> {
  return parsePack(new Uint8Array(await (await fetch(facePack)).arrayBuffer()));
}

/** Shares out every step that has two rows, however small. */
async function compare(task: ThreadsTask): Promise<ThreadsOutcome> {
  const wasm = await open(task, 0);
  const reference = await createReferenceBackend();
  let compared = 0;
  const differ = async (model: Model, data: Uint8Array): Promise<string | null> => {
    for (const output of model.graph.outputs) {
      const plan = planGraph(model, output);
      const [one, other] = [await wasm.compile(model, plan), await reference.compile(model, plan)];
      const input: EngineInput = { kind: 'crop', data };
      const difference = heatmapDifference(await other.run(input), await one.run(input));
      one.close();
      compared += 1;
      if (difference !== null) return JSON.stringify(difference);
    }
    return null;
  };
  for (const { name, build, image } of [...CONV2D_CASES, ...MAX_POOL2D_CASES]) {
    const model = build();
    const difference = await differ(model, image(model));
    if (difference !== null) {
      return { device: wasm.device, difference: `${name}: ${difference}`, compared };
    }
  }
  const check = await fc.check(
    fc.asyncProperty(modelArbitrary(), fc.nat(), async (model, seed) => {
      const difference = await differ(model, randomImage(model, seed));
      if (difference !== null) throw new Error(difference);
    }),
    { numRuns: task.graphs ?? 100 },
  );
  const face = await faceModel();
  const difference = check.failed
    ? (fc.defaultReportMessage(check) ?? 'failed')
    : await differ(face, randomImage(face, 7));
  return { device: wasm.device, difference, compared };
}

/** Ends a helper between two frames. */
async function lose(task: ThreadsTask): Promise<ThreadsOutcome> {
  const wasm = await open(task);
  const { device } = wasm;
  const model = await faceModel();
  const plan = planGraph(model);
  const compiled = await wasm.compile(model, plan);
  const input: EngineInput = { kind: 'crop', data: randomImage(model, 3) };
  const before = await compiled.run(input);
  helpers[0]?.terminate();
  // Chromium gives a worker two seconds to end by itself.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const errors: string[] = [];
  await compiled.run(input).catch((error: unknown) => {
    errors.push(String(Reflect.get(error as object, 'code')));
  });
  const difference = heatmapDifference(before, await compiled.run(input));
  return {
    device,
    errors,
    difference: difference && JSON.stringify(difference),
    deviceAfter: wasm.device,
  };
}

async function measure(task: ThreadsTask): Promise<ThreadsOutcome> {
  const wasm = await open(task);
  const model = await faceModel();
  const compiled = await wasm.compile(model, planGraph(model));
  const input: EngineInput = { kind: 'crop', data: randomImage(model, 3) };
  let bestMs = Infinity;
  for (let run = 0; run < 600; run++) {
    const start = performance.now();
    compiled.runSync?.(input);
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  return { device: wasm.device, bestMs };
}

const TASKS = { compare, lose, measure };
addEventListener('message', ({ data }) => {
  const task = data as ThreadsTask;
  TASKS[task.kind](task).then(
    (outcome) => {
      postMessage(outcome);
    },
    (error: unknown) => {
      reportError(error);
    },
  );
});
