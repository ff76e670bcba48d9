/**
 * What the WebGPU tests of Node and of Chromium share: opening an engine of a variant, and comparing models with the
 * reference value by value. Asserts nothing.
 */
import type {
  Backend,
  CompiledModel,
  EngineInput,
  Heatmaps,
  WebgpuKernelName,
} from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { openWebgpuEngine, type WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { sumHeatmaps } from '../../src/model/heatmap_sums';
import type { Model } from '../../src/model/types';

/** Up to here layers with weights of one bit take bit planes unless another kernel is asked for. */
const FEW_INPUT_BITS = 4;

/** An engine that takes kernels of these names first; without names, those that it expects to be best. */
export function openVariant(...kernels: readonly WebgpuKernelName[]): Promise<WebgpuEngine> {
  return openWebgpuEngine(undefined, { kernels });
}

/** Kernel names that the plan's steps must get on SwiftShader from an engine of these names. */
export function expectedKernels(
  model: Model,
  ...names: readonly WebgpuKernelName[]
): readonly string[] {
  return planGraph(model).steps.map((step) => {
    if (step.kind !== 'conv2d') return step.kind;
    const { node, source } = step;
    const takesBits = node.encoding === 'b1' && source.kind === 'parts';
    const named = names.find((name) => takesBits || !name.startsWith('bitplanes'));
    const expected = takesBits && source.inputBits <= FEW_INPUT_BITS ? 'bitplanes' : 'dot4';
    const [variant, tile = '4x4'] = (named ?? expected).split('_');
    return `conv2d_${node.encoding}_${variant ?? ''}_${tile}`;
  });
}

export interface Comparison {
  readonly kernels: readonly string[];
  /** Number of differing values, and the first one in words; null if there is none. */
  readonly difference: string | null;
}

/** Runs the model's last output on a backend and on the reference. */
export async function compareWithReference(
  backend: Backend,
  model: Model,
  input: EngineInput,
): Promise<Comparison> {
  const reference = await createReferenceBackend();
  const [expected] = await runOn(reference, model, input);
  const [found, kernels] = await runOn(backend, model, input);
  return { kernels, difference: firstDifference(expected, found) };
}

/** Words on how the sums of the model's heatmaps on a backend differ from those over the reference's; null if they do not. */
export async function compareSums(
  backend: Backend,
  model: Model,
  input: EngineInput,
): Promise<string | null> {
  const { codec } = model.manifest;
  if (codec.type !== 'softmax') return `the codec is ${codec.type}`;
  const [heatmaps] = await runOn(await createReferenceBackend(), model, input);
  const expected = sumHeatmaps(heatmaps, codec);
  const compiled = await backend.compile(model, planGraph(model));
  try {
    const found = await compiled.runSums?.(input);
    if (found === undefined) return 'the backend sums nothing';
    const [left, right] = [expected, found].map(({ width, cells, sums }) =>
      [width, ...cells, ...sums].join(' '),
    );
    return left === right ? null : `found ${right ?? ''}, expected ${left ?? ''}`;
  } finally {
    compiled.close();
  }
}

/** Compiles, runs once, closes. */
export async function runOn(
  backend: Backend,
  model: Model,
  input: EngineInput,
): Promise<[Heatmaps, CompiledModel['kernels']]> {
  const compiled = await backend.compile(model, planGraph(model));
  try {
    return [await compiled.run(input), compiled.kernels];
  } finally {
    compiled.close();
  }
}

export function firstDifference(expected: Heatmaps, found: Heatmaps): string | null {
  const shapes = [expected, found].map(({ height, width, channels }) =>
    [height, width, channels].join('x'),
  );
  if (shapes[0] !== shapes[1] || expected.data.length !== found.data.length) {
    return `shape ${shapes[1] ?? ''}, expected ${shapes[0] ?? ''}`;
  }
  const wrong = [...expected.data.keys()].filter((i) => expected.data[i] !== found.data[i]);
  const [first] = wrong;
  if (first === undefined) return null;
  return (
    `${wrong.length} of ${expected.data.length} values differ, first at ${first}: ` +
    `${found.data[first] ?? 'nothing'}, expected ${expected.data[first] ?? 'nothing'}`
  );
}
