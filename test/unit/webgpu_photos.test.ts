/**
 * Real crops of the demo's photos on WebGPU (Dawn in Node): the crop is the reference's, and the heatmaps are those of the WASM
 * engine, which its own tests compare with the reference. BITMARKS_CROP_PHOTOS (a folder of .jpg) and BITMARKS_CROP_COUNT
 * run it on more photos.
 */
import { readdirSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import type { CompiledModel } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import type { WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import { cropFrame } from '../../src/model/crop';
import { parsePack } from '../../src/model/pack';
import { roiFromBox, roiToCropAffine } from '../../src/pipeline/roi';
import { installDawn, removeDawn } from '../helpers/dawn';
import { Random } from '../helpers/random';
import { firstDifference, openVariant } from '../helpers/webgpu_suite';

const FOLDER = process.env['BITMARKS_CROP_PHOTOS'] ?? 'demo/photos';
const PHOTOS = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.jpg'))
  .slice(0, Number(process.env['BITMARKS_CROP_COUNT'] ?? 12));

const model = parsePack(readFileSync('models/face.bitmarks'));
const [height, width] = model.graph.input.shape;
let engine: WebgpuEngine;
let webgpu: CompiledModel;
let wasm: CompiledModel;

beforeAll(async () => {
  await installDawn();
  engine = await openVariant('dot4');
  const backend = await createWasmBackendWith(loadModuleFile, {
    wasmUrls: WASM_FILE_URLS,
    wasmVariant: 'simd128',
  });
  const plan = planGraph(model);
  [webgpu, wasm] = await Promise.all([engine.compile(model, plan), backend.compile(model, plan)]);
}, 120_000);
afterAll(() => {
  engine.close();
  removeDawn();
});

test('there are photos', () => {
  expect(PHOTOS.length).toBeGreaterThan(0);
});

test.each(PHOTOS)('%s', async (file) => {
  const { data, info } = await sharp(`${FOLDER}/${file}`)
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const frame = { width: info.width, height: info.height };
  // A square somewhere in the photo, rotated, at times beyond its border.
  const random = new Random(info.width * 1000 + data.length);
  const side = Math.min(frame.width, frame.height) * (0.4 + 0.6 * random.next());
  const box = {
    x: (frame.width - side) * random.next(),
    y: (frame.height - side) * random.next(),
    width: side,
    height: side,
  };
  const roi = { ...roiFromBox(box, frame, 1.1), rotationRad: random.next() - 0.5 };
  const { affine, taps } = roiToCropAffine(roi, frame, width);
  const input = { kind: 'frame', data, ...frame, affine, taps } as const;
  const expected = await wasm.run(input);
  const found = await webgpu.run(input);
  expect(firstDifference(expected, found)).toBeNull();
  const crop = await webgpu.readCrop();
  expect(Buffer.compare(crop, cropFrame(input, height, width))).toBe(0);
  expect(new Set(crop).size).toBeGreaterThan(20);
});
