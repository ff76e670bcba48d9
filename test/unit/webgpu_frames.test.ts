/** Frames on the GPU: brought once for all crops, the next one while the one before is at work, and never mixed up. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CropAffine, EngineInput } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { Session } from '../../src/engine/session';
import { shareBackends } from '../../src/engine/shared_backends';
import type { WebgpuEngine } from '../../src/engine/webgpu/webgpu_backend';
import type { BitmarksError } from '../../src/errors';
import { installDawn, removeDawn } from '../helpers/dawn';
import { Random } from '../helpers/random';
import { randomModel } from '../helpers/random_model';
import { openVariant } from '../helpers/webgpu_suite';

type Frame = Extract<EngineInput, { kind: 'frame' }>;

const model = randomModel(4);
let engine: WebgpuEngine;

beforeAll(async () => {
  await installDawn();
  engine = await openVariant('dot4');
});
afterAll(() => {
  engine.close();
  removeDawn();
});

/** A frame of noise whose bytes and size follow from its id. */
function frame(id: number, x = 0): Frame {
  const [width, height] = [40 + ((id * 7) % 20), 30 + ((id * 5) % 16)];
  const data = new Random(id).bytes(width * height * 4);
  const affine: CropAffine = [x * 65536, 0, 65536, 9000, -9000, 65536];
  return { kind: 'frame', data, width, height, id, affine, taps: 2 };
}

/** Crops that a compiled model saw, as runs in turn give them; the reference's of the same frames. */
async function cropsOf(frames: readonly Frame[]): Promise<[Uint8Array[], Uint8Array[]]> {
  const reference = await (await createReferenceBackend()).compile(model, planGraph(model));
  const compiled = await engine.compile(model, planGraph(model));
  const crops: [Uint8Array[], Uint8Array[]] = [[], []];
  for (const input of frames) {
    const [found, expected] = await Promise.all([compiled.run(input), reference.run(input)]);
    expect(found).toEqual(expected);
    crops[0].push(await compiled.readCrop());
    crops[1].push(await reference.readCrop());
  }
  compiled.close();
  return crops;
}

test('a frame is brought once for all its crops, by whichever model', async () => {
  const models = await Promise.all(
    [model, randomModel(5)].map((each) => engine.compile(each, planGraph(each))),
  );
  const before = engine.counters.uploads;
  for (const x of [0, 3, 9]) {
    for (const compiled of models) await compiled.run(frame(1, x));
  }
  expect(engine.counters.uploads - before).toBe(1);
  for (const compiled of models) await compiled.run(frame(2));
  expect(engine.counters.uploads - before).toBe(2);
  for (const compiled of models) compiled.close();
  expect(engine.memory).toEqual({ bytes: 0, objects: 0 });
});

test('crops of frames in turn, of frames that come again and of larger ones are those of the reference', async () => {
  const [found, expected] = await cropsOf(
    [1, 2, 1, 1, 3, 4, 3, 5, 6, 7, 1].map((id, index) => frame(id, index)),
  );
  expect(found).toEqual(expected);
});

test('a frame without a name is brought for each run, changed or not', async () => {
  const { id: named, ...input } = frame(8);
  expect(named).toBe(8);
  const before = engine.counters.uploads;
  const changed = { ...input, data: input.data.map((value) => 255 - value) };
  const [found, expected] = await cropsOf([input, input, changed, frame(8), input]);
  expect(found).toEqual(expected);
  expect(found[2]).not.toEqual(found[1]);
  expect(engine.counters.uploads - before).toBe(5);
});

test('the next frame is brought while this one is at work, and costs no second upload', async () => {
  const compiled = await engine.compile(model, planGraph(model));
  const reference = await (await createReferenceBackend()).compile(model, planGraph(model));
  const before = engine.counters.uploads;
  for (let id = 20; id < 26; id++) {
    const running = compiled.run(frame(id));
    engine.stage(frame(id + 1));
    expect(engine.counters.uploads - before).toBe(id - 20 + 2);
    expect(await running).toEqual(await reference.run(frame(id)));
    expect(await compiled.run(frame(id, 5))).toEqual(await reference.run(frame(id, 5)));
  }
  expect(engine.counters.uploads - before).toBe(7);
  compiled.close();
});

test('one frame waits at a time, and one that is not taken makes room', async () => {
  const compiled = await engine.compile(model, planGraph(model));
  const reference = await (await createReferenceBackend()).compile(model, planGraph(model));
  await compiled.run(frame(30));
  const before = engine.counters.uploads;
  engine.stage(frame(31));
  engine.stage(frame(32));
  expect(engine.counters.uploads - before).toBe(1);
  for (const id of [33, 31, 30]) {
    expect(await compiled.run(frame(id))).toEqual(await reference.run(frame(id)));
  }
  engine.stage(frame(30));
  expect(engine.counters.uploads - before).toBe(4);
  compiled.close();
});

test('frames in turn allocate nothing once both places are large enough', async () => {
  const compiled = await engine.compile(model, planGraph(model));
  for (const id of [1, 2]) await compiled.run({ ...frame(9), id });
  const before = engine.memory;
  for (const id of [3, 4, 5]) {
    const running = compiled.run({ ...frame(9), id });
    engine.stage({ ...frame(9), id: id + 1 });
    await running;
  }
  expect(engine.memory).toEqual(before);
  compiled.close();
  expect(engine.memory).toEqual({ bytes: 0, objects: 0 });
});

test('a session stages on the device it shares, refuses what is no frame, and ends with close', async () => {
  const load = shareBackends(() => Promise.resolve(() => Promise.resolve(shared)));
  const shared = await openVariant('dot4');
  const session = await Session.create(model, {
    backend: 'webgpu',
    engine: { wasmUrls: { simd128: '', relaxed: '' } },
    selfTest: false,
    loadFactory: load,
  });
  session.stage(frame(40));
  expect(shared.counters.uploads).toBe(1);
  await session.run(frame(40));
  expect(shared.counters.uploads).toBe(1);
  const cut = { ...frame(41), width: 7 };
  expect(() => {
    session.stage(cut);
  }).toThrow(expect.objectContaining({ code: 'input/invalid' }) as BitmarksError);
  session.close();
  session.stage(frame(42));
  expect(shared.counters.uploads).toBe(1);
  expect(shared.memory).toEqual({ bytes: 0, objects: 0 });
});

test('staging on a closed engine does nothing', async () => {
  const closed = await openVariant('dot4');
  closed.close();
  closed.stage(frame(1));
  expect(closed.counters.uploads).toBe(0);
});
