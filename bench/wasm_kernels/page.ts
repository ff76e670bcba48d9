/**
 * The page of main.ts: measures each convolution kernel on the face network's shapes, and the whole network on each
 * variant. A figure is the best of many short runs, which other work on the machine disturbs least.
 */
import pack from '../../models/face.bitmarks?url';
import { planGraph } from '../../src/engine/planner';
import relaxed from '../../src/engine/wasm/build/relaxed.wasm?url';
import simd128 from '../../src/engine/wasm/build/simd128.wasm?url';
import { CONV2D_LUT } from '../../src/engine/wasm/kernels/conv2d_lut';
import { CONV2D_MASKS } from '../../src/engine/wasm/kernels/conv2d_masks';
import { CONV2D_PAIRS } from '../../src/engine/wasm/kernels/conv2d_pairs';
import { CONV2D_QUADS, CONV2D_SPLIT_QUADS } from '../../src/engine/wasm/kernels/conv2d_quads';
import { CONV2D_WIDE } from '../../src/engine/wasm/kernels/conv2d_wide';
import {
  FIXED_ADDRESSES,
  runOctsOf,
  type ConvKernel,
  type ConvWeights,
  type KernelHost,
  type WasmExports,
} from '../../src/engine/wasm/kernels/kernel';
import { fetchModule } from '../../src/engine/wasm/module_loader';
import { probeVariants } from '../../src/engine/wasm/variant';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../src/model/pack';

export interface Measurement {
  readonly kernel: string;
  readonly what: string;
  readonly ms: number;
  readonly multiplyAdds: number;
}

interface Shape {
  readonly size: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly encoding: 'b1' | 'i8';
}

const layer = (
  size: number,
  inChannels: number,
  kernel: number,
  outChannels: number,
  rest: Partial<Shape> = {},
): Shape => ({ size, inChannels, kernel, outChannels, stride: 1, encoding: 'b1', ...rest });

const SHAPES: readonly Shape[] = [
  ...[64, 80, 96, 128, 144, 160, 224].map((channels) => layer(32, channels, 1, 64)),
  layer(32, 176, 1, 80),
  layer(32, 192, 1, 96),
  layer(8, 144, 1, 64),
  layer(32, 64, 3, 16),
  layer(8, 64, 3, 16),
  layer(128, 3, 5, 64, { stride: 2, encoding: 'i8' }),
  layer(32, 64, 1, 68, { encoding: 'i8' }),
];
const RUNS = 60;
const RUN_MS = 0.5;

/** Milliseconds of one call: the best of RUNS groups of calls of about RUN_MS each. */
function bestMs(call: () => void, runs = RUNS): number {
  const timed = (count: number): number => {
    const start = performance.now();
    for (let i = 0; i < count; i++) call();
    return (performance.now() - start) / count;
  };
  for (let i = 0; i < 50; i++) timed(1);
  const count = Math.ceil(RUN_MS / Math.max(0.001, timed(20)));
  return Math.min(...Array.from({ length: runs }, () => timed(count)));
}

async function measureKernels(
  variant: 'simd128' | 'relaxed',
  kernels: readonly [ConvKernel, Shape['encoding'][]][],
): Promise<Measurement[]> {
  const memory = new WebAssembly.Memory({ initial: 64 });
  const module = await fetchModule(variant === 'relaxed' ? relaxed : simd128);
  const functions = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown;
  const host: KernelHost = { exports: { variant, functions } as WasmExports, fusedDot: false };
  const rows: Measurement[] = [];
  for (const [kernel, encodings] of kernels) {
    for (const shape of SHAPES.filter(({ encoding }) => encodings.includes(encoding))) {
      rows.push(measureKernel(kernel, host, memory, shape));
    }
  }
  return rows;
}

function measureKernel(
  kernel: ConvKernel,
  host: KernelHost,
  memory: WebAssembly.Memory,
  shape: Shape,
): Measurement {
  const { size, stride, inChannels, outChannels } = shape;
  const weights: ConvWeights = {
    ...shape,
    values: Int8Array.from(
      { length: outChannels * shape.kernel ** 2 * inChannels },
      (_, i) => ((i * 2654435761) & 65536 ? 1 : -1) * (shape.encoding === 'i8' ? i % 128 : 1),
    ),
  };
  const laidOut = kernel.layOut(weights);
  const [at, activations, output] = [4096, 1 << 20, 1 << 21];
  new Uint8Array(memory.buffer).set(new Uint8Array(laidOut.buffer), at);
  const pixelBytes = inChannels * kernel.activationBytes;
  const rowBytes = (size + shape.kernel - 1) * pixelBytes;
  const outSize = size / stride;
  const flat = shape.kernel === 1;
  const { name, parameters } = kernel.dispatch(
    [
      ...[activations, at, output],
      ...(flat ? [1, outSize * outSize] : [outSize, outSize]),
      ...[outChannels, shape.kernel, runOctsOf(weights), rowBytes],
      ...[stride * rowBytes, stride * pixelBytes, 2],
    ] as Parameters<ConvKernel['dispatch']>[0],
    weights,
    127,
    FIXED_ADDRESSES.spill,
  );
  const run = Reflect.get(host.exports.functions, name) as (...values: readonly number[]) => void;
  return {
    kernel: kernel.name,
    what: `${size}x${size}x${inChannels} ${shape.kernel}x${shape.kernel} to ${outChannels}`,
    ms: bestMs(() => {
      run(...parameters);
    }),
    multiplyAdds: outSize ** 2 * outChannels * shape.kernel ** 2 * inChannels,
  };
}

async function measureNetwork(wasmVariant: 'simd128' | 'relaxed'): Promise<Measurement[]> {
  const model = parsePack(new Uint8Array(await (await fetch(pack)).arrayBuffer()));
  const plan = planGraph(model);
  const backend = await createWasmBackendWith(
    fetchModule,
    { wasmUrls: { simd128, relaxed }, wasmVariant },
    probeVariants(),
  );
  const start = performance.now();
  const compiled = await backend.compile(model, plan);
  const compileMs = performance.now() - start;
  const [height, width, channels] = plan.inputShape;
  const crop = new Uint8Array(height * width * channels).map((_, i) => (i * 2654435761) >>> 24);
  const frame = new Uint8Array(640 * 480 * 4).map((_, i) => (i * 2654435761) >>> 24);
  const unit = 65536;
  const affine = [100 * unit, 80 * unit, 2 * unit, 5000, -5000, 2 * unit] as const;
  const run = (input: Parameters<typeof compiled.run>[0]): (() => void) => {
    return () => void compiled.runSync?.(input);
  };
  const { multiplyAdds } = plan;
  const row = { kernel: wasmVariant, multiplyAdds };
  return [
    { ...row, what: 'face network', ms: bestMs(run({ kind: 'crop', data: crop }), 300) },
    {
      ...row,
      what: 'with crop of 640x480',
      ms: bestMs(
        run({ kind: 'frame', data: frame, width: 640, height: 480, affine, taps: 2 }),
        300,
      ),
    },
    { ...row, what: 'compile (once)', ms: compileMs },
  ];
}

const measurements = [
  ...(await measureKernels('relaxed', [
    [CONV2D_PAIRS, ['b1']],
    [CONV2D_QUADS, ['b1', 'i8']],
    [CONV2D_SPLIT_QUADS, ['i8']],
  ])),
  ...(await measureKernels('simd128', [
    [CONV2D_MASKS, ['b1']],
    [CONV2D_LUT, ['b1']],
    [CONV2D_WIDE, ['b1', 'i8']],
  ])),
  ...(await measureNetwork('relaxed')),
  ...(await measureNetwork('simd128')),
];
Reflect.set(globalThis, 'measurements', measurements);
