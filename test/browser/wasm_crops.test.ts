/**
 * The WASM engine on the face pack and real photos in Chromium: all kernels give the same heatmaps on 204 crops, and those of
 * the reference engine on some of them (bench/wasm_parity.ts compares them all, which takes minutes).
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import pack from '../../models/face.bitmarks?url&no-inline';
import type { Backend, EngineInput } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import relaxed from '../../src/engine/wasm/build/relaxed.wasm?url&no-inline';
import simd128 from '../../src/engine/wasm/build/simd128.wasm?url&no-inline';
import { fetchModule } from '../../src/engine/wasm/module_loader';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { difference, heatmapDifference } from '../helpers/differences';
import { Random } from '../helpers/random';
import { drawCrop } from '../helpers/real_crops';

const PHOTOS = import.meta.glob<string>('../../demo/photos/face_*.jpg', {
  query: '?url',
  import: 'default',
  eager: true,
});
const CROPS_PER_PHOTO = 17;
const wasmUrls = {
  simd128: new URL(simd128, location.href).href,
  relaxed: new URL(relaxed, location.href).href,
};

const backends: Backend[] = [];
let model: Model;

beforeAll(async () => {
  model = parsePack(new Uint8Array(await (await fetch(pack)).arrayBuffer()));
  for (const [wasmVariant, fusedDot] of [
    ['relaxed', false],
    ['relaxed', true],
    ['simd128', false],
  ] as const) {
    const report = { simd128: null, relaxed: null, fusedDot };
    backends.push(await createWasmBackendWith(fetchModule, { wasmUrls, wasmVariant }, report));
  }
  backends.push(await createReferenceBackend());
});

afterAll(() => {
  for (const backend of backends) backend.close();
});

async function pixelsOf(url: string): Promise<ImageData> {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob());
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  if (context === null) throw new Error('no 2d canvas');
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

it('has the photos', () => {
  expect(Object.keys(PHOTOS)).toHaveLength(12);
});

it.each(Object.entries(PHOTOS))('all kernels agree on %s', async (name, url) => {
  const { data, width, height } = await pixelsOf(url);
  const random = new Random(name.length + width + height);
  const plan = planGraph(model);
  const compiled = await Promise.all(backends.map((backend) => backend.compile(model, plan)));
  const [first, ...others] = compiled;
  const reference = others.pop();
  if (first === undefined || reference === undefined) throw new Error('no backends');
  for (let crop = 0; crop < CROPS_PER_PHOTO; crop++) {
    const region = drawCrop(random, { width, height }, plan.inputShape[1]);
    const input: EngineInput = { kind: 'frame', data, width, height, ...region };
    const expected = await first.run(input);
    for (const other of others) {
      expect(heatmapDifference(expected, await other.run(input))).toBeNull();
    }
    if (crop === 0 && /face_0[147]/.test(name)) {
      expect(heatmapDifference(await reference.run(input), expected)).toBeNull();
      expect(difference(await reference.readCrop(), await first.readCrop())).toBeNull();
    }
  }
  for (const each of compiled) each.close();
});
