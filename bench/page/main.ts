/**
 * The benchmark page: makes all engines, checks that they agree, then lets them take turns, round by round, on the same
 * crop of the same photo. Everything runs on this page's one thread, except what a GPU does.
 */
import packUrl from '../../models/face.bitmarks?url&no-inline';
import { planGraph } from '../../src/engine/planner';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { decodeHeatmaps } from '../../src/pipeline/heatmap_codec';
import { landmarkModelOf } from '../../src/pipeline/pack_models';
import type { Agreement, BenchOptions, Measurement, Workload } from '../measurement';
import { findFace, type Engine, type Scene } from './engine';
import { createFloatEngine } from './float_engine';
import { createWasmEngine, createWebgpuEngine } from './integer_engines';
import { loadScene } from './scene';

const WARM_UP_CALLS = 3;

async function measure({ rounds, turnMs }: BenchOptions): Promise<Measurement> {
  const model = parsePack(new Uint8Array(await (await fetch(packUrl)).arrayBuffer()));
  const scene = await loadScene(model);
  const { engines, absent } = await makeEngines(model, scene);
  const agreements = await compare(engines, model);
  const calls: Readonly<Record<Workload, (engine: Engine) => unknown>> = {
    network: (engine) => engine.runCrop(),
    face: (engine) => findFace(engine, model),
  };
  const times = new Map(engines.map(({ name }) => [name, emptyTimes()]));
  for (const workload of ['network', 'face'] as const) {
    for (const engine of engines) {
      for (let i = 0; i < WARM_UP_CALLS; i += 1) await calls[workload](engine);
    }
    for (let round = 0; round < rounds; round += 1) {
      // Each engine begins a round as often as any other.
      for (let turn = 0; turn < engines.length; turn += 1) {
        const engine = engines[(round + turn) % engines.length];
        if (engine === undefined) continue;
        times
          .get(engine.name)
          ?.[workload].push(await takeTurn(() => calls[workload](engine), turnMs));
      }
    }
  }
  const { name, sha256 } = { ...model.manifest, sha256: model.sha256 };
  return {
    pack: { name, sha256 },
    multiplyAdds: planGraph(model).multiplyAdds,
    contestants: engines.map((engine) => ({
      engine: engine.name,
      description: engine.description,
      kernels: engine.kernels,
      rounds: times.get(engine.name) ?? emptyTimes(),
    })),
    agreements,
    absent,
  };
}

/** The GPU may be missing; without one of the others there is nothing to compare. */
async function makeEngines(
  model: Model,
  scene: Scene,
): Promise<{ engines: Engine[]; absent: Measurement['absent'] }> {
  const engines = [
    await createWasmEngine('relaxed', model, scene),
    await createWasmEngine('simd128', model, scene),
    await createFloatEngine(model, scene),
  ];
  try {
    return { engines: [...engines, await createWebgpuEngine(model, scene)], absent: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { engines, absent: [{ engine: 'webgpu', reason }] };
  }
}

/** Speed of wrong results is worth nothing: how far each engine is from the first. */
async function compare(engines: readonly Engine[], model: Model): Promise<Agreement[]> {
  const [first, ...others] = engines;
  if (first === undefined) throw new Error('no engine runs here');
  const expected = await first.runCrop();
  const expectedPoints = decodeHeatmaps(expected, landmarkModelOf(model).codec);
  const agreements: Agreement[] = [];
  for (const engine of others) {
    const actual = await engine.runCrop();
    const points = decodeHeatmaps(actual, landmarkModelOf(model).codec);
    const distances = points.map(({ x, y }, i) =>
      Math.hypot(x - (expectedPoints[i]?.x ?? NaN), y - (expectedPoints[i]?.y ?? NaN)),
    );
    agreements.push({
      engine: engine.name,
      differing: actual.data.filter((value, i) => value !== expected.data[i]).length,
      values: actual.data.length,
      farthestPixels: Math.max(...distances),
    });
  }
  return agreements;
}

/** Calls for `turnMs`, once at least; milliseconds of each call. */
async function takeTurn(call: () => unknown, turnMs: number): Promise<number[]> {
  const times: number[] = [];
  const endMs = performance.now() + turnMs;
  do {
    const startMs = performance.now();
    await call();
    times.push(performance.now() - startMs);
  } while (performance.now() < endMs);
  return times;
}

function emptyTimes(): Record<Workload, number[][]> {
  return { network: [], face: [] };
}

Object.assign(window, { measure });
