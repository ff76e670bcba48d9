/**
 * The demo with a fake camera that films a face wandering about: nothing starts by itself, the face is followed under one
 * identity, the drawing is mirrored with the picture, and stopping gives the camera back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ResultDetail } from '../../demo/main';
import type { Server } from '../helpers/serve';
import { WANDER, WEBCAM, webcamFlags, writeWebcamFilm } from './support/fake_webcam';
import {
  allResults,
  EXPECTED,
  launch,
  openDemo,
  resultCount,
  resultOf,
  serveDemo,
} from './support/visit_demo';

const PHOTO = 'face_01.jpg';
/** Share of the distance of the outer eye corners, after the film's zoom and place are taken out. */
const SHAPE_LIMIT = 0.05;

let folder: string;
let server: Server;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'bitmarks-film-'));
  const film = path.join(folder, 'face.y4m');
  await writeWebcamFilm(`demo/photos/${PHOTO}`, film);
  server = await serveDemo();
  browser = await launch('none', webcamFlags(film));
  page = await openDemo(browser, server.origin);
  // Keeps what the page got, to see whether it is given back.
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const original = mediaDevices.getUserMedia.bind(mediaDevices);
    const streams: MediaStream[] = [];
    Object.assign(window, { streams });
    mediaDevices.getUserMedia = async (constraints) => {
      const stream = await original(constraints);
      streams.push(stream);
      return stream;
    };
  });
  await resultOf(page, PHOTO);
});
afterAll(async () => {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function trackStates(): Promise<string[]> {
  return page.evaluate(() =>
    (Reflect.get(window, 'streams') as MediaStream[])
      .flatMap((stream) => stream.getTracks())
      .map(({ readyState }) => readyState),
  );
}

async function cameraResults(least: number): Promise<ResultDetail[]> {
  await page.waitForFunction((count) => {
    const results = Reflect.get(window, 'results') as ResultDetail[];
    const ofCamera = results.filter((detail) => detail.picture === 'camera');
    return ofCamera.filter(({ result }) => result.faces.length > 0).length >= count;
  }, least);
  return (await allResults(page)).filter(({ picture }) => picture === 'camera');
}

/** Mean of one coordinate over all landmarks of the first face, in pixels. */
function middle({ result }: ResultDetail, axis: 'x' | 'y'): number {
  const landmarks = result.faces[0]?.landmarks ?? [];
  const size = axis === 'x' ? result.width : result.height;
  return (landmarks.reduce((sum, point) => sum + point[axis], 0) / landmarks.length) * size;
}

/** Mean distance to the expected landmarks after both are moved to their middles and scaled to equal spread, in eye distances. */
function shapeError({ result }: ResultDetail): number {
  const expected = EXPECTED.find(({ file }) => file === PHOTO)?.points ?? [];
  const found = (result.faces[0]?.landmarks ?? []).map(
    ({ x, y }) => [x * result.width, y * result.height] as const,
  );
  const [a, b] = [normalize(expected), normalize(found)];
  const [leftX, leftY] = a[36] ?? [NaN, NaN];
  const [rightX, rightY] = a[45] ?? [NaN, NaN];
  const unit = Math.hypot(rightX - leftX, rightY - leftY);
  const distances = a.map(([x, y], i) =>
    Math.hypot(x - (b[i]?.[0] ?? NaN), y - (b[i]?.[1] ?? NaN)),
  );
  return distances.reduce((sum, distance) => sum + distance, 0) / distances.length / unit;
}

function normalize(points: readonly (readonly [number, number])[]): [number, number][] {
  const mean = (axis: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const spread = Math.sqrt(
    points.reduce((sum, [x, y]) => sum + (x - x0) ** 2 + (y - y0) ** 2, 0) / points.length,
  );
  return points.map(([x, y]) => [(x - x0) / spread, (y - y0) / spread]);
}

test('nothing starts by itself: the camera is off, and the page says what will happen', async () => {
  await page.getByRole('radio', { name: 'Camera' }).check();
  await page.getByText('The camera is off').first().waitFor();
  expect(await page.locator('#consent').innerText()).toMatch(/Nothing leaves this page/);
  expect(await page.locator('#photo').isVisible()).toBe(false);
  expect(await trackStates()).toEqual([]);
});

test('the face is followed through the film under one identity', async () => {
  await page.getByRole('button', { name: 'Start camera' }).click();
  const results = await cameraResults(3 * WEBCAM.framesPerSecond);
  const found = results.filter(({ result }) => result.faces.length > 0);
  expect(new Set(found.map(({ result }) => result.faces[0]?.id)).size).toBe(1);
  expect(new Set(results.map(({ result }) => `${result.width} x ${result.height}`))).toEqual(
    new Set([`${WEBCAM.width} x ${WEBCAM.height}`]),
  );
  for (const axis of ['x', 'y'] as const) {
    const places = found.map((detail) => middle(detail, axis));
    const range = Math.max(...places) - Math.min(...places);
    // The film lasts three seconds and the results at least as long, but frames at the turning points may be missed.
    expect(range).toBeGreaterThan(1.4 * WANDER[axis]);
    expect(range).toBeLessThan(2.6 * WANDER[axis]);
  }
  const errors = found.map(shapeError).sort((a, b) => a - b);
  expect(errors[Math.floor(errors.length / 2)]).toBeLessThan(SHAPE_LIMIT);
  // Once found, a face costs one run of the network.
  const runs = found.slice(5).map(({ result }) => result.timings.inferences);
  expect(runs.filter((count) => count === 1).length).toBeGreaterThan(runs.length / 2);
});

test('the page shows what a frame costs, and the picture is mirrored', async () => {
  expect(Number(await page.locator('#ms').innerText())).toBeGreaterThan(0);
  expect(Number(await page.locator('#fps').innerText())).toBeGreaterThan(0);
  expect(Number(await page.locator('#score').innerText())).toBeGreaterThan(0.3);
  const transform = (): Promise<string> =>
    page.locator('#video').evaluate((video) => getComputedStyle(video).transform);
  expect(await transform()).toMatch(/^matrix\(-1,/);
  await page.getByLabel('Mirror').uncheck();
  expect(await transform()).toBe('none');
});

/** Share of the landmarks of the next frame that have something drawn over them, the picture being shown mirrored or not. */
function shareDrawn(mirrored: boolean): Promise<number> {
  return page.evaluate(
    (isMirrored) =>
      new Promise<number>((resolve) => {
        const look = (event: Event): void => {
          const { result } = (event as CustomEvent<ResultDetail>).detail;
          const landmarks = result.faces[0]?.landmarks;
          const canvas = document.querySelector<HTMLCanvasElement>('#overlay');
          const context = canvas?.getContext('2d');
          if (landmarks === undefined || !canvas || !context) return;
          window.removeEventListener('bitmarks:result', look);
          const scale = Math.min(canvas.width / result.width, canvas.height / result.height);
          const drawn = landmarks.filter(({ x, y }) => {
            const dx = ((isMirrored ? 1 - x : x) - 0.5) * result.width * scale;
            const dy = (y - 0.5) * result.height * scale;
            const column = Math.floor(canvas.width / 2 + dx);
            const row = Math.floor(canvas.height / 2 + dy);
            return (context.getImageData(column, row, 1, 1).data[3] ?? 0) > 100;
          });
          resolve(drawn.length / landmarks.length);
        };
        window.addEventListener('bitmarks:result', look);
      }),
    mirrored,
  );
}

test('the landmarks are drawn where the face is shown, mirrored or not', async () => {
  for (const mirrored of [false, true]) {
    await page.getByLabel('Mirror').setChecked(mirrored);
    expect(await shareDrawn(mirrored)).toBe(1);
    expect(await shareDrawn(!mirrored)).toBeLessThan(0.5);
  }
});

test('stopping gives the camera back', async () => {
  expect(await trackStates()).toEqual(['live']);
  await page.getByRole('button', { name: 'Stop camera' }).click();
  await page.getByText('The camera is off').first().waitFor();
  expect(await trackStates()).toEqual(['ended']);
  expect(await page.locator('#video').isVisible()).toBe(false);
  const before = await resultCount(page);
  await page.waitForTimeout(500);
  expect(await resultCount(page)).toBe(before);
});

test('going back to the photos while the camera runs gives it back too', async () => {
  await page.getByRole('button', { name: 'Start camera' }).click();
  await page.getByRole('button', { name: 'Stop camera' }).waitFor();
  await page.getByRole('radio', { name: 'Photo', exact: true }).check();
  await page.getByText(`in ${PHOTO} on wasm`).waitFor();
  expect(await trackStates()).toEqual(['ended', 'ended']);
  expect(await page.locator('#alert').innerText()).toBe('');
});
