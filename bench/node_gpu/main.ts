/**
 * The shipped packs on a real GPU from Node, without a browser: on Dawn (npm package webgpu), the bits of every kernel variant
 * against the reference engine, GPU time by timestamp queries, and time from call to result. Exit codes: 0 all bits agree,
 * 1 some do not, 2 no adapter.
 *
 *   node scripts/run.mjs bench/node_gpu/main.ts [--packs face,pose] [--kernels default,dot4,bitplanes_8x4] [--frames 50]
 *
 * `--adapter NAME` takes the adapter whose name has this part; Vulkan drivers are chosen with VK_ICD_FILENAMES.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { create, globals } from 'webgpu';
import type { Heatmaps, WebgpuKernelName } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { CONV_VARIANTS, kernelRefusals } from '../../src/engine/webgpu/kernels/conv2d_candidates';
import { DeviceHealth } from '../../src/engine/webgpu/device_health';
import { createContext, type WebgpuContext } from '../../src/engine/webgpu/webgpu_context';
import { requestWebgpuDevice } from '../../src/engine/webgpu/webgpu_device';
import { WebgpuModel } from '../../src/engine/webgpu/webgpu_model';
import { goldenImage } from '../../src/model/golden';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { median } from '../measurement';
import { timeOnGpu } from './gpu_timer';

const { values: given } = parseArgs({
  options: {
    packs: { type: 'string', default: 'face,pose' },
    kernels: { type: 'string', default: ['default', ...CONV_VARIANTS].join(',') },
    frames: { type: 'string', default: '50' },
    adapter: { type: 'string' },
  },
});
const frames = Number(given.frames);
if (!Number.isInteger(frames) || frames < 1) {
  throw new Error(`--frames is ${given.frames}, expected a whole number from 1`);
}

Object.assign(globalThis, globals);
const gpu = create(given.adapter === undefined ? [] : [`adapter=${given.adapter}`]);
Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });

const adapter = await gpu.requestAdapter();
if (adapter === null) {
  console.error(
    'Dawn found no GPU adapter. On Linux it needs libvulkan.so.1 and a Vulkan driver: `vulkaninfo --summary` must list the ' +
      'GPU; in a container the driver and its ICD file must be mapped in. VK_ICD_FILENAMES names the ICD file of one driver, ' +
      'such as the SwiftShader of Chromium (/usr/lib/chromium/vk_swiftshader_icd.json).',
  );
  process.exit(2);
}
const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } =
  adapter.info;
console.log(`adapter: ${[vendor, architecture, device, description].filter(Boolean).join(', ')}`);
console.log(`subgroups: ${subgroupMinSize}..${subgroupMaxSize}`);

let wrong = 0;
for (const name of given.packs.split(',')) {
  const model = parsePack(readFileSync(`models/${name}.bitmarks`));
  const expected = await referenceHeatmaps(model);
  for (const kernel of given.kernels.split(','))
    wrong += await measure(name, model, kernel, expected);
}
// Dawn keeps the process alive.
process.exit(wrong === 0 ? 0 : 1);

async function referenceHeatmaps(model: Model): Promise<Heatmaps> {
  const compiled = await (await createReferenceBackend()).compile(model, planGraph(model));
  return compiled.run({ kind: 'crop', data: goldenImage(model) });
}

/** A device of its own, without the tfjs host of the engine, which Node cannot load unbundled. */
async function openContext(preferred: readonly WebgpuKernelName[]): Promise<WebgpuContext> {
  const { device, traits } = await requestWebgpuDevice('high-performance');
  return createContext(device, traits, preferred, new DeviceHealth(device, false));
}

/** Prints a line; 1 if values differ from the expected ones. */
async function measure(
  pack: string,
  model: Model,
  kernel: string,
  expected: Heatmaps,
): Promise<number> {
  const kernels = kernel === 'default' ? [] : [kernel as WebgpuKernelName];
  const context = await openContext(kernels);
  try {
    const startMs = performance.now();
    const compiled = await WebgpuModel.compile(context, model, planGraph(model), () => undefined);
    const input = { kind: 'crop', data: goldenImage(model) } as const;
    const { data } = await compiled.run(input);
    const readyMs = performance.now() - startMs;
    const differing = expected.data.reduce((sum, value, i) => sum + Number(value !== data[i]), 0);
    const wallMs: number[] = [];
    for (let frame = 0; frame < frames; frame++) {
      const frameMs = performance.now();
      await (compiled.runSums ?? ((same) => compiled.run(same)))(input);
      wallMs.push(performance.now() - frameMs);
    }
    const gpuMs = await timeOnGpu(compiled, frames);
    const [ran, ...others] = new Set(
      compiled.kernels.flatMap((step) => /^conv2d_b1_(.+)/.exec(step)?.[1] ?? []),
    );
    const columns = [
      `${pack} ${kernel}`.padEnd(24),
      `runs ${[ran ?? '-', ...others].join('+')}`.padEnd(36),
      differing === 0 ? 'bits agree' : `${differing} of ${data.length} VALUES DIFFER`,
      gpuMs === null
        ? 'no timestamp queries'
        : `GPU ${median(gpuMs).toFixed(3)} ms a frame (best ${Math.min(...gpuMs).toFixed(3)})`,
      `call to result ${median(wallMs).toFixed(3)} ms`,
      `compile and first frame ${readyMs.toFixed(0)} ms`,
    ];
    console.log(columns.join('  '));
    for (const refusal of kernelRefusals(kernels, context.traits)) console.log(`  ${refusal}`);
    return differing === 0 ? 0 : 1;
  } finally {
    context.health.close();
    context.device.destroy();
  }
}
