/**
 * Measures in the page and leaves the figures in `globalThis.measured`. `?rows=` takes a pattern of names. Contestants take turns, so that what else the machine
 * does hits all of them alike.
 */
import '@tensorflow/tfjs-backend-webgpu';
import { setBackend, tensor3d } from '@tensorflow/tfjs-core';
import packUrl from '../../models/face.bitmarks?url';
import { planGraph } from '../../src/engine/planner';
import { createFloatGraph } from '../../src/engine/tfjs/float_graph';
import type { WebgpuKernelName } from '../../src/engine/backend';
import { openWebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { goldenImage } from '../../src/model/golden';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';

export interface WebgpuMeasurement {
  readonly speeds: readonly Speed[];
}

interface Speed {
  readonly name: string;
  readonly medianMs: number;
  readonly bestMs: number;
  /** Times as long as the first in the same round. */
  readonly ratio: number;
}

interface Contestant {
  readonly name: string;
  readonly run: () => Promise<unknown>;
  readonly timesMs: number[];
}

const ROUNDS = 5;
/** What is compared with the first: [kernel, input bits of all layers; null: the pack's]. */
const ROWS: readonly (readonly [WebgpuKernelName, number | null])[] = [
  ['dot4_4x4', null],
  ['shift_4x4', null],
  ['storage_4x4', null],
  ['subgroup_4x4', null],
  ['dot4_4x8', null],
  ['dot4_8x4', null],
  ['dot4_2x4', null],
  ['dot4_1x4', null],
  ['bitplanes_4x4', 8],
  ['bitplanes_4x4', 6],
  ['bitplanes_4x4', 4],
  ['bitplanes_4x4', 3],
  ['bitplanes_4x4', 2],
];

async function measure(): Promise<WebgpuMeasurement> {
  const model = parsePack(new Uint8Array(await (await fetch(packUrl)).arrayBuffer()));
  const contestants: Contestant[] = [];
  const pattern = new RegExp(new URLSearchParams(location.search).get('rows') ?? '');
  for (const [kernel, bits] of ROWS) {
    const name = bits === null ? kernel : `${kernel}, ${bits}-bit inputs`;
    if (!pattern.test(name)) continue;
    const engine = await openWebgpuEngine(undefined, { kernels: [kernel] });
    const own = bits === null ? model : withInputBits(model, bits);
    const compiled = await engine.compile(own, planGraph(own));
    if (!compiled.kernels.some((name) => name.endsWith(kernel))) throw new Error(engine.device);
    const input = { kind: 'crop', data: goldenImage(model) } as const;
    contestants.push({ name, run: async () => compiled.runSums?.(input), timesMs: [] });
  }
  const float: Contestant = { name: 'float, tfjs-webgpu', run: await floatRun(model), timesMs: [] };
  contestants.push(float);
  for (const { run } of contestants) await run();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { run, timesMs } of contestants) {
      const startMs = performance.now();
      await run();
      timesMs.push(performance.now() - startMs);
    }
  }
  return {
    speeds: contestants.map(({ name, timesMs }) => ({
      name,
      medianMs: median(timesMs),
      bestMs: Math.min(...timesMs),
      ratio: median(timesMs.map((ms, round) => ms / (contestants[0]?.timesMs[round] ?? NaN))),
    })),
  };
}

/** The same graph with other inputs, to time it: its results mean nothing. */
function withInputBits(model: Model, inputBits: number): Model {
  const nodes = model.graph.nodes.map((node) =>
    node.op === 'requantize' ? { ...node, inputBits } : node,
  );
  return { ...model, graph: { ...model.graph, nodes } };
}

async function floatRun(model: Model): Promise<() => Promise<unknown>> {
  await setBackend('webgpu');
  const graph = createFloatGraph(model);
  const [height, width, channels] = model.graph.input.shape;
  const image = tensor3d(goldenImage(model), [height, width, channels], 'int32');
  return async () => {
    const output = graph.run(image);
    await output.data();
    output.dispose();
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

Object.assign(globalThis, { measured: await measure() });
