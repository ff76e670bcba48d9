/**
 * Films of people who walk in, sit down at a desk and leave, through the shipped packs and the pipeline: found within two frames,
 * followed under one identity, lost cleanly. Frames are composed from photos of the demo, where people stand.
 */
import sharp, { type OverlayOptions } from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DetectedSubject } from '../../src/protocol/result';
import { drawFrame, FRAME, openFilm, type Film } from '../helpers/film';

/** Side of the photo in the frame, pixels. */
const PHOTO = 440;
/** Left edge of the photo where two thirds of it are in the picture, and where it comes to rest. */
const IN_VIEW = 350;
const REST = 100;
/** Top edge while the person stands, and once they sit. */
const STANDING = 10;
const SITTING = 110;
const DESK = { width: FRAME.width, height: 90, channels: 4, background: '#6b4a2b' } as const;
/** Middle between the shoulders of each photo, in its sides, by eye. */
const CHESTS = [
  ['people_01', { x: 0.52, y: 0.46 }],
  ['people_02', { x: 0.48, y: 0.42 }],
  ['people_03', { x: 0.49, y: 0.46 }],
  ['people_04', { x: 0.54, y: 0.48 }],
  ['people_05', { x: 0.49, y: 0.49 }],
  ['people_06', { x: 0.53, y: 0.57 }],
] as const;
/** How far from there landmarks may be. */
const TOLERANCE = 0.1;

interface Scene {
  /** Left edge of the photo; null: nobody is there. */
  readonly left: number | null;
  readonly top?: number;
}

async function draw(photo: string, { left, top = STANDING }: Scene): Promise<Uint8Array> {
  const desk = { input: { create: DESK }, left: 0, top: FRAME.height - DESK.height };
  if (left === null) return drawFrame([desk]);
  const width = Math.min(PHOTO, FRAME.width - left);
  const height = Math.min(PHOTO, FRAME.height - top);
  const person = await sharp(photo).resize(PHOTO).toBuffer();
  const input = await sharp(person).extract({ left: 0, top: 0, width, height }).toBuffer();
  const layers: OverlayOptions[] = [{ input, left, top }, desk];
  return drawFrame(layers);
}

/** How far the middle of the shoulders is from `chest`, where the photo has it, in sides of the photo. */
function offset(
  { landmarks }: DetectedSubject,
  chest: { readonly x: number; readonly y: number },
  { left, top }: { readonly left: number; readonly top: number },
): number {
  const shoulders = landmarks.filter(({ name }) => name.endsWith('_shoulder'));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = (mean(shoulders.map((of) => of.x)) * FRAME.width - left) / PHOTO;
  const y = (mean(shoulders.map((of) => of.y)) * FRAME.height - top) / PHOTO;
  return Math.hypot(x - chest.x, y - chest.y);
}

let film: Film;
beforeEach(async () => {
  film = await openFilm('pose');
});
afterEach(() => {
  film.close();
});

test.each(CHESTS)(
  'a person who walks in, sits down and leaves: %s',
  async (name, chest) => {
    const show = async (scene: Scene): Promise<DetectedSubject[]> =>
      film.show(await draw(`demo/photos/${name}.jpg`, scene));

    for (let frame = 0; frame < 2; frame++) expect(await show({ left: null })).toEqual([]);

    let left = 600;
    for (; left >= IN_VIEW; left -= 50) await show({ left });
    const [person] = await show({ left });
    expect(person).toBeDefined();

    const follow = async (scene: { left: number; top: number }): Promise<void> => {
      const [followed] = await show(scene);
      expect(followed?.id).toBe(person?.id);
      expect(followed && offset(followed, chest, scene)).toBeLessThan(TOLERANCE);
    };
    for (; left > REST; left -= 50) await follow({ left, top: STANDING });
    // Whoever was found while half in the picture has been seen anew by now.
    const [standing] = await show({ left: REST });
    expect(standing?.score).toBeGreaterThan(0.8);
    for (let top = STANDING; top < SITTING; top += 20) await follow({ left: REST, top });
    for (let frame = 0; frame < 3; frame++) await follow({ left: REST, top: SITTING });

    await show({ left: null });
    expect(await show({ left: null })).toEqual([]);
  },
  120_000,
);
