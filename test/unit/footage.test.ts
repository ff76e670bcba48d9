/**
 * A film of a face that enters, turns, is covered and leaves, through the shipped packs and the pipeline: found within two
 * frames, followed under one identity, lost cleanly. Frames are composed from a photo of the demo; the engine is WASM.
 */
import { readFile } from 'node:fs/promises';
import sharp, { type OverlayOptions } from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import { Session } from '../../src/engine/session';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../src/model/pack';
import { LandmarkPipeline, type PipelineNetworks } from '../../src/pipeline/landmark_pipeline';
import { finderModelOf, landmarkModelOf } from '../../src/pipeline/pack_models';
import { roiToCropAffine } from '../../src/pipeline/roi';
import { TASKS } from '../../src/pipeline/tasks';
import type { DetectedSubject } from '../../src/protocol/result';

const WIDTH = 640;
const HEIGHT = 480;
const FRAME_MS = 33;
/** Side of the photo in the frame, and where it comes to rest. */
const PHOTO = 440;
const REST = 100;
const OPTIONS = {
  maxSubjects: 1,
  minDetectionConfidence: null,
  minPresenceConfidence: null,
  minTrackingConfidence: null,
  smoothing: true,
};

interface Scene {
  /** Left edge of the photo; null: nobody is there. */
  readonly left: number | null;
  readonly turnDegrees?: number;
  readonly isCovered?: boolean;
}

async function openSession(file: string): Promise<Session> {
  return Session.create(parsePack(await readFile(`models/${file}.bitmarks`)), {
    backend: 'wasm',
    engine: { wasmUrls: WASM_FILE_URLS },
    selfTest: false,
    loadFactory: () => Promise.resolve((options) => createWasmBackendWith(loadModuleFile, options)),
  });
}

async function drawFrame({ left, turnDegrees = 0, isCovered = false }: Scene): Promise<Uint8Array> {
  const wall = { width: WIDTH, height: HEIGHT, channels: 4, background: '#8a8f96' } as const;
  let frame = sharp({ create: wall });
  if (left !== null) {
    const turned = await sharp('demo/photos/face_01.jpg')
      .resize(PHOTO)
      .rotate(turnDegrees, { background: '#8a8f96' })
      .resize(PHOTO, PHOTO, { fit: 'cover' })
      .toBuffer();
    const shown = Math.min(PHOTO, WIDTH - left);
    const input = await sharp(turned)
      .extract({ left: 0, top: 0, width: shown, height: PHOTO })
      .toBuffer();
    const layers: OverlayOptions[] = [{ input, left, top: 20 }];
    if (isCovered) {
      const cloth = { ...wall, width: shown, height: PHOTO, background: '#503020' };
      layers.push({ input: { create: cloth }, left, top: 20 });
    }
    frame = frame.composite(layers);
  }
  return new Uint8Array(await frame.ensureAlpha().raw().toBuffer());
}

let landmarks: Session;
let finder: Session;
beforeAll(async () => {
  landmarks = await openSession('face');
  finder = await openSession('face-finder');
});
afterAll(() => {
  landmarks.close();
  finder.close();
});

test('a face that enters, turns, is covered and leaves', async () => {
  const models = {
    landmarks: landmarkModelOf(landmarks.model),
    finder: finderModelOf(finder.model),
  };
  const pipeline = new LandmarkPipeline(models, TASKS.face, () => performance.now());
  const size = { width: WIDTH, height: HEIGHT };
  let timestampMs = 0;
  let finderRuns = 0;
  const show = async (scene: Scene): Promise<DetectedSubject[]> => {
    const data = await drawFrame(scene);
    const networks: PipelineNetworks = {
      landmarks: (region) =>
        landmarks.runSums({
          kind: 'frame',
          data,
          ...size,
          ...roiToCropAffine(region, size, models.landmarks.cropSize),
        }),
      finder: (region) => {
        finderRuns += 1;
        const crop = roiToCropAffine(region, size, models.finder.cropSize);
        return finder.run({ kind: 'frame', data, ...size, ...crop });
      },
    };
    timestampMs += FRAME_MS;
    return pipeline.detectInStream(1, size, timestampMs, networks, OPTIONS);
  };

  for (let frame = 0; frame < 3; frame++) expect(await show({ left: null })).toEqual([]);

  for (let left = 600; left > REST; left -= 125) await show({ left });
  await show({ left: REST });
  const [face] = await show({ left: REST });
  expect(face?.score).toBeGreaterThan(0.9);

  const runsWhenFound = finderRuns;
  for (let turnDegrees = 0; turnDegrees <= 30; turnDegrees += 5) {
    const [turned] = await show({ left: REST, turnDegrees });
    expect(turned?.id).toBe(face?.id);
    expect(turned?.roi.rotationRad).toBeCloseTo((turnDegrees * Math.PI) / 180, 0);
  }
  expect(finderRuns).toBe(runsWhenFound);

  await show({ left: REST, turnDegrees: 30, isCovered: true });
  expect(await show({ left: REST, turnDegrees: 30, isCovered: true })).toEqual([]);

  await show({ left: REST });
  const [again] = await show({ left: REST });
  expect(again?.score).toBeGreaterThan(0.9);
  expect(again?.id).toBeGreaterThan(face?.id ?? 0);

  await show({ left: null });
  expect(await show({ left: null })).toEqual([]);
});
