/**
 * Labelled sets for the evaluation: reads the JSON, checks each row by itself, and decodes images. A bad row is a reason,
 * not an exception. Runs no network.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import type { Box } from '../../src/pipeline/roi';
import type { Label } from './metrics';

/** One labelled image; coordinates in source pixels, the center of the first pixel at (0.5, 0.5). */
interface Image {
  /** As the set names it. */
  readonly name: string;
  readonly path: string;
}

/** A row for a landmark network. */
export interface Row extends Image {
  /** In the order of the model's landmarks. */
  readonly points: readonly Label[];
  readonly box: Box;
  /** Length in pixels that errors are divided by; null for people without one. */
  readonly normalizer: number | null;
  /** Distance of l_shoulder and r_hip, or the normalizer where one of them is unknown; null for models without these. */
  readonly torso: number | null;
  /** Traits by which cards group, where the set tells: turn of the head in degrees, opening of the mouth in widths of the jaw, and
   * the angle of skin colour (light skin above 41 degrees, dark below -30). */
  readonly yaw: number | null;
  readonly mouthOpen: number | null;
  readonly skinTone: number | null;
}

/** A row for a finder: tight boxes of all subjects in the image. */
export interface FinderRow extends Image {
  readonly boxes: readonly Box[];
  /** Where subjects need not be found, for example because they are small; a find with its center there is no false alarm. */
  readonly ignored: readonly Box[];
}

/** Why a row is not evaluated. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface Dataset<R> {
  readonly rows: readonly R[];
  readonly skipped: readonly Skipped[];
}

export interface Frame {
  /** RGBA, row-major. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Outer eye corners among the 68 points. */
const FACE_POINTS = 68;
const FACE_EYE_CORNERS = [36, 45] as const;
/** Joints whose distance is the diameter of a torso. */
const TORSO = ['l_shoulder', 'r_hip'] as const;

/** Reads a set for a model with these landmarks. Throws when the file is not `{ "images": [...] }`. */
export function readDataset(file: string, landmarks: readonly string[]): Promise<Dataset<Row>> {
  return readRows(file, (row, image) => {
    const points = readPoints(row, landmarks.length);
    const hasTorso = TORSO.every((name) => landmarks.includes(name));
    const normalizer = readNormalizer(row['normalizer'], points, hasTorso);
    const torso = hasTorso ? torsoOf(points, landmarks, normalizer) : null;
    const box = readBox(row['box'], points);
    const [yaw, mouthOpen] = [readTrait(row, 'yaw'), readTrait(row, 'mouthOpen')];
    const skinTone = readTrait(row, 'skinTone');
    return { ...image, points, box, normalizer, torso, yaw, mouthOpen, skinTone };
  });
}

/** Reads a set for a finder: rows with "boxes", with "subjects" (lists of points) or with the "points" of one subject, and with "ignored". */
export function readFinderDataset(file: string): Promise<Dataset<FinderRow>> {
  return readRows(file, (row, image) => {
    const { boxes, subjects, points, ignored: ignoring = [] } = row;
    if (!Array.isArray(ignoring)) throw new Error('its "ignored" is no list of boxes');
    const ignored = ignoring.map((box: unknown) => readBox(box, []));
    if (Array.isArray(boxes)) {
      return { ...image, ignored, boxes: boxes.map((box: unknown) => readBox(box, [])) };
    }
    const lists = Array.isArray(subjects) ? (subjects as unknown[]) : [points];
    return {
      ...image,
      ignored,
      boxes: lists.map((list) => readBox(undefined, readPoints({ points: list }, null))),
    };
  });
}

async function readRows<R>(
  file: string,
  read: (row: Readonly<Record<string, unknown>>, image: Image) => R,
): Promise<Dataset<R>> {
  const json: unknown = JSON.parse(await readFile(file, 'utf8'));
  const images = isRecord(json) ? json['images'] : undefined;
  if (!Array.isArray(images)) {
    throw new Error(
      `${file} has no list "images"; expected { "images": [{ "file", "points" }, ...] }`,
    );
  }
  const rows: R[] = [];
  const skipped: Skipped[] = [];
  images.forEach((entry: unknown, index) => {
    const named = isRecord(entry) ? entry['file'] : undefined;
    const name = typeof named === 'string' ? named : `row ${index}`;
    try {
      if (!isRecord(entry)) throw new Error('it is no object');
      if (typeof named !== 'string' || named === '') throw new Error('it names no file');
      rows.push(read(entry, { name, path: path.resolve(path.dirname(file), named) }));
    } catch (error) {
      skipped.push({ name, reason: reasonOf(error) });
    }
  });
  return { rows, skipped };
}

/** Decodes an image upright, as its EXIF orientation says. Throws for what cannot be read. */
export async function readFrame(file: string): Promise<Frame> {
  const { data, info } = await sharp(file)
    .autoOrient()
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Points that are null, or whose entry in the list "known" is 0, are null. */
function readPoints(row: Readonly<Record<string, unknown>>, count: number | null): Label[] {
  const { points, known } = row;
  if (!Array.isArray(points)) throw new Error('it has no list "points"');
  if (count !== null && points.length !== count) {
    throw new Error(`it has ${points.length} points, the model ${count}`);
  }
  if (known !== undefined && !(Array.isArray(known) && known.length === points.length)) {
    throw new Error(`its list "known" does not have an entry for each of ${points.length} points`);
  }
  const labels = points.map((entry: unknown, index): Label => {
    if (entry === null || (Array.isArray(known) && known[index] === 0)) return null;
    const [x, y] = readNumbers(entry, 2, `point ${index}`);
    return { x, y };
  });
  if (labels.every((label) => label === null)) throw new Error('none of its points is known');
  return labels;
}

function torsoOf(
  points: readonly Label[],
  landmarks: readonly string[],
  normalizer: number | null,
): number {
  const [from, to] = TORSO.map((name) => points[landmarks.indexOf(name)] ?? null);
  const torso = from && to ? Math.hypot(to.x - from.x, to.y - from.y) : normalizer;
  if (torso !== null && torso > 0) return torso;
  throw new Error(
    'l_shoulder and r_hip are not both known, and it has no normalizer that tells their distance',
  );
}

function readBox(json: unknown, labels: readonly Label[]): Box {
  if (json === undefined || json === null) {
    const points = labels.filter((label) => label !== null);
    const xs = points.map(({ x }) => x);
    const ys = points.map(({ y }) => y);
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    return checkBox({ x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y });
  }
  const [x, y, width, height] = readNumbers(json, 4, 'the box');
  return checkBox({ x, y, width, height });
}

function checkBox(box: Box): Box {
  if (box.width >= 0 && box.height >= 0 && box.width + box.height > 0) return box;
  throw new Error(`the box is ${box.width} x ${box.height} pixels`);
}

function readNormalizer(
  json: unknown,
  points: readonly Label[],
  isOptional: boolean,
): number | null {
  if (json !== undefined && json !== null) {
    if (typeof json === 'number' && json > 0 && Number.isFinite(json)) return json;
    throw new Error(`the normalizer is ${JSON.stringify(json)}, expected a positive number`);
  }
  if (isOptional) return null;
  const [from, to] = FACE_EYE_CORNERS.map((index) => points[index] ?? null);
  if (points.length !== FACE_POINTS || !from || !to) {
    throw new Error(
      `it has no normalizer; only rows of ${FACE_POINTS} points have one by default, the distance of the outer eye corners`,
    );
  }
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  if (distance > 0) return distance;
  throw new Error('the outer eye corners coincide, so that there is no normalizer');
}

function readTrait(row: Readonly<Record<string, unknown>>, name: string): number | null {
  const value = row[name] ?? null;
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw new Error(`its ${name} is ${JSON.stringify(value)}, expected a number`);
}

/** `count` finite numbers; unlike a cast, this holds for every row. */
function readNumbers(json: unknown, count: 2 | 4, what: string): [number, number, number, number] {
  const isGood =
    Array.isArray(json) && json.length === count && json.every((value) => Number.isFinite(value));
  if (!isGood) throw new Error(`${what} is ${JSON.stringify(json)}, expected ${count} numbers`);
  const [a = 0, b = 0, c = 0, d = 0] = json as number[];
  return [a, b, c, d];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
