/**
 * Labelled sets for the evaluation: reads the JSON, checks each row by itself, and decodes images. A bad row is a reason,
 * not an exception. Runs no network.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import type { Box, Point } from '../../src/pipeline/roi';

/** One labelled image; coordinates in source pixels, the center of the first pixel at (0.5, 0.5). */
export interface Row {
  /** As the set names it. */
  readonly name: string;
  readonly path: string;
  readonly points: readonly Point[];
  readonly box: Box;
  /** Length in pixels that errors are divided by. */
  readonly normalizer: number;
}

/** Why a row is not evaluated. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface Dataset {
  readonly rows: readonly Row[];
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

/** Reads a set for a model of `landmarkCount` landmarks. Throws when the file is not `{ "images": [...] }`. */
export async function readDataset(file: string, landmarkCount: number): Promise<Dataset> {
  const json: unknown = JSON.parse(await readFile(file, 'utf8'));
  const images = isRecord(json) ? json['images'] : undefined;
  if (!Array.isArray(images)) {
    throw new Error(
      `${file} has no list "images"; expected { "images": [{ "file", "points" }, ...] }`,
    );
  }
  const rows: Row[] = [];
  const skipped: Skipped[] = [];
  images.forEach((entry: unknown, index) => {
    const name =
      isRecord(entry) && typeof entry['file'] === 'string' ? entry['file'] : `row ${index}`;
    try {
      rows.push(readRow(entry, name, path.dirname(file), landmarkCount));
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

function readRow(entry: unknown, name: string, folder: string, landmarkCount: number): Row {
  if (!isRecord(entry)) throw new Error('it is no object');
  if (typeof entry['file'] !== 'string' || entry['file'] === '')
    throw new Error('it names no file');
  const points = readPoints(entry['points'], landmarkCount);
  return {
    name,
    path: path.resolve(folder, entry['file']),
    points,
    box: readBox(entry['box'], points),
    normalizer: readNormalizer(entry['normalizer'], points),
  };
}

function readPoints(json: unknown, count: number): readonly Point[] {
  if (!Array.isArray(json)) throw new Error('it has no list "points"');
  if (json.length !== count) throw new Error(`it has ${json.length} points, the model ${count}`);
  return json.map((entry: unknown, index) => {
    const [x, y] = readNumbers(entry, 2, `point ${index}`);
    return { x, y };
  });
}

function readBox(json: unknown, points: readonly Point[]): Box {
  if (json === undefined || json === null) {
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

function readNormalizer(json: unknown, points: readonly Point[]): number {
  if (json !== undefined && json !== null) {
    if (typeof json === 'number' && json > 0 && Number.isFinite(json)) return json;
    throw new Error(`the normalizer is ${JSON.stringify(json)}, expected a positive number`);
  }
  const [from, to] = FACE_EYE_CORNERS.map((index) => points[index]);
  if (points.length !== FACE_POINTS || from === undefined || to === undefined) {
    throw new Error(
      `it has no normalizer; only rows of ${FACE_POINTS} points have one by default, the distance of the outer eye corners`,
    );
  }
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  if (distance > 0) return distance;
  throw new Error('the outer eye corners coincide, so that there is no normalizer');
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
