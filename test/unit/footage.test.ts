/**
 * A film of a face that enters, turns, is covered and leaves, through the shipped packs and the pipeline: found within two
 * frames, followed under one identity, lost cleanly. Frames are composed from a photo of the demo.
 */
import sharp, { type OverlayOptions } from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DetectedSubject } from '../../src/protocol/result';
import { drawFrame, FRAME, openFilm, WALL, type Film } from '../helpers/film';

/** Side of the photo in the frame, and where it comes to rest. */
const PHOTO = 440;
const REST = 100;

interface Scene {
  /** Left edge of the photo; null: nobody is there. */
  readonly left: number | null;
  readonly turnDegrees?: number;
  readonly isCovered?: boolean;
}

async function draw({ left, turnDegrees = 0, isCovered = false }: Scene): Promise<Uint8Array> {
  if (left === null) return drawFrame([]);
  const turned = await sharp('demo/photos/face_01.jpg')
    .resize(PHOTO)
    .rotate(turnDegrees, { background: WALL })
    .resize(PHOTO, PHOTO, { fit: 'cover' })
    .toBuffer();
  const shown = Math.min(PHOTO, FRAME.width - left);
  const input = await sharp(turned)
    .extract({ left: 0, top: 0, width: shown, height: PHOTO })
    .toBuffer();
  const layers: OverlayOptions[] = [{ input, left, top: 20 }];
  if (isCovered) {
    const cloth = { width: shown, height: PHOTO, channels: 4, background: '#503020' } as const;
    layers.push({ input: { create: cloth }, left, top: 20 });
  }
  return drawFrame(layers);
}

let film: Film;
beforeAll(async () => {
  film = await openFilm('face');
});
afterAll(() => {
  film.close();
});

test('a face that enters, turns, is covered and leaves', async () => {
  const show = async (scene: Scene): Promise<DetectedSubject[]> => film.show(await draw(scene));

  for (let frame = 0; frame < 3; frame++) expect(await show({ left: null })).toEqual([]);

  for (let left = 600; left > REST; left -= 125) await show({ left });
  await show({ left: REST });
  const [face] = await show({ left: REST });
  expect(face?.score).toBeGreaterThan(0.9);

  const runsWhenFound = film.finderRuns;
  for (let turnDegrees = 0; turnDegrees <= 30; turnDegrees += 5) {
    const [turned] = await show({ left: REST, turnDegrees });
    expect(turned?.id).toBe(face?.id);
    expect(turned?.roi.rotationRad).toBeCloseTo((turnDegrees * Math.PI) / 180, 0);
  }
  expect(film.finderRuns).toBe(runsWhenFound);

  await show({ left: REST, turnDegrees: 30, isCovered: true });
  expect(await show({ left: REST, turnDegrees: 30, isCovered: true })).toEqual([]);

  await show({ left: REST });
  const [again] = await show({ left: REST });
  expect(again?.score).toBeGreaterThan(0.9);
  expect(again?.id).toBeGreaterThan(face?.id ?? 0);

  await show({ left: null });
  expect(await show({ left: null })).toEqual([]);
});
