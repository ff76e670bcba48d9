/**
 * Compares the WASM engine with the reference engine on crops of the demo photos, value by value, in Node:
 * `node scripts/run.mjs bench/wasm_parity.ts [CROPS]`. Exits with 1 on any difference. The tests do the same on fewer crops.
 */
import { readdir, readFile } from 'node:fs/promises';
import process from 'node:process';
import sharp from 'sharp';
import { loadModuleFile, WASM_FILE_URLS } from '../scripts/wasm_files';
import type { EngineInput } from '../src/engine/backend';
import { planGraph } from '../src/engine/planner';
import { createReferenceBackend } from '../src/engine/reference/reference_backend';
import { createWasmBackendWith } from '../src/engine/wasm/wasm_backend';
import { parsePack } from '../src/model/pack';
import { Random } from '../test/helpers/random';
import { drawCrop } from '../test/helpers/real_crops';

const photoFolder = new URL('../demo/photos/', import.meta.url);
const crops = Number(process.argv[2] ?? 200);

const model = parsePack(await readFile(new URL('../models/face.bitmarks', import.meta.url)));
const plan = planGraph(model);
const wasm = await createWasmBackendWith(loadModuleFile, { wasmUrls: WASM_FILE_URLS });
const compiled = await wasm.compile(model, plan);
const reference = await (await createReferenceBackend()).compile(model, plan);

const names = (await readdir(photoFolder)).filter((name) => name.endsWith('.jpg')).sort();
const photos = await Promise.all(
  names.map(async (name) => {
    const file = await readFile(new URL(name, photoFolder));
    const { data, info } = await sharp(file).rotate().ensureAlpha().raw().toBuffer({
      resolveWithObject: true,
    });
    return { data: new Uint8Array(data), width: info.width, height: info.height };
  }),
);

const random = new Random(1);
let values = 0;
let differing = 0;
for (let crop = 0; crop < crops; crop++) {
  const photo = photos[crop % photos.length];
  if (photo === undefined) throw new Error('no photos in demo/photos');
  const input: EngineInput = {
    kind: 'frame',
    ...photo,
    ...drawCrop(random, photo, plan.inputShape[1]),
  };
  const [actual, expected] = [await compiled.run(input), await reference.run(input)];
  values += expected.data.length;
  differing += expected.data.filter((value, index) => actual.data[index] !== value).length;
}
console.log(
  `wasm ${wasm.variant} against reference: ${crops} crops, ${values} values, ${differing} differing`,
);
process.exitCode = differing === 0 && crops > 0 ? 0 : 1;
