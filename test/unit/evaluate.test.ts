/** The evaluation on pictures made for it and a model that finds the reddest and the greenest pixel. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDataset, readFinderDataset, readFrame } from '../../bench/evaluate/dataset';
import { evaluate, type EvaluateOptions, type Report } from '../../bench/evaluate/evaluate';
import { boxOf } from '../../bench/evaluate/scene_runner';
import { dotsPack, drawDots } from '../helpers/dots';
import { dotsFinderPack } from '../helpers/dots_finder';
import { evaluateGraph } from '../helpers/evaluate_graph';
import { ModelBuilder } from '../helpers/model_builder';
import { writePack } from '../helpers/pack_writer';
import { goldenImage, heatmapHash } from '../../src/model/golden';
import type { Model } from '../../src/model/types';

let folder = '';
const inFolder = (name: string): string => path.join(folder, name);

/** Channel 0 is red minus green, channel 1 green minus red: the heatmap of a 32x32 crop at full size. */
function colorModel(): Model {
  const builder = new ModelBuilder(32, 32);
  const weights = [120, -120, 0, -120, 120, 0];
  const head = builder.conv(builder.image, {
    outChannels: 2,
    encoding: 'i8',
    weights: (index) => weights[index] ?? 0,
  });
  const codec = { type: 'softmax', stride: 1, window: 3, scale: 0.001 } as const;
  const roi = { scale: 1.6, upright: [0, 1], presence: 0.5 } as const;
  const model = builder.build([head], { codec, roi });
  const heatmaps = evaluateGraph(model, goldenImage(model)).get(head)?.data;
  const sha256 = [heatmapHash(Int16Array.from(heatmaps ?? []))];
  return { ...model, manifest: { ...model.manifest, golden: { seed: 1, sha256 } } };
}

/** A black picture with a red and a green dot of 5x5 pixels, their centers at `red` and `green`. */
async function writeDots(
  name: string,
  [width, height]: readonly [number, number],
  red: readonly [number, number],
  green: readonly [number, number],
  orientation?: number,
): Promise<void> {
  const data = new Uint8Array(width * height * 3);
  [red, green].forEach(([x, y], channel) => {
    for (let row = Math.floor(y) - 2; row <= Math.floor(y) + 2; row++) {
      for (let column = Math.floor(x) - 2; column <= Math.floor(x) + 2; column++) {
        data[(row * width + column) * 3 + channel] = 255;
      }
    }
  });
  let image = sharp(data, { raw: { width, height, channels: 3 } });
  if (orientation !== undefined) image = image.withMetadata({ orientation });
  await image.png().toFile(inFolder(name));
}

function writeSet(name: string, images: readonly unknown[]): string {
  writeFileSync(inFolder(name), JSON.stringify({ images }));
  return inFolder(name);
}

function run(
  data: string,
  passes: number,
  pack = 'color.bitmarks',
  more: Partial<EvaluateOptions> = {},
): Promise<Report> {
  const onProgress = (): void => undefined;
  return evaluate({
    pack: inFolder(pack),
    data,
    backend: 'reference',
    condition: 'none',
    passes,
    landmarks: null,
    detection: null,
    onProgress,
    ...more,
  });
}

const RED = [30.5, 20.5] as const;
const GREEN = [70.5, 40.5] as const;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'bitmarks-'));
  writeFileSync(inFolder('color.bitmarks'), writePack(colorModel()));
  await writeDots('dots.png', [100, 60], RED, GREEN);
  // Stored on its side: orientation 6 turns it clockwise, so that stored (x, y) becomes (height - y, x).
  await writeDots('turned.png', [60, 100], [20.5, 69.5], [40.5, 29.5], 6);
  writeFileSync(inFolder('broken.png'), 'not a picture');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('evaluate', () => {
  const row = { file: 'dots.png', points: [RED, GREEN], normalizer: 40 };

  test('finds what the model sees, in source pixels with centers at one half', async () => {
    const report = await run(writeSet('one.json', [row]), 2);
    const [points] = report.predictions.map((prediction) => prediction.points);
    [RED, GREEN].forEach(([x, y], index) => {
      expect(points?.[index]?.[0]).toBeCloseTo(x, 0);
      expect(points?.[index]?.[1]).toBeCloseTo(y, 0);
    });
    expect(report.figures.errors?.nme).toBeLessThan(3);
    expect(report.figures.errors?.nme).toBeCloseTo(100 * (report.predictions[0]?.error ?? NaN), 9);
    expect(report.engine.backend).toBe('reference');
    expect(report.imagesPerSecond).toBeGreaterThan(0);
  });

  test('turns pictures as their EXIF orientation says', async () => {
    const report = await run(
      writeSet('exif.json', [
        {
          ...row,
          file: 'turned.png',
          points: [
            [30.5, 20.5],
            [70.5, 40.5],
          ],
        },
      ]),
      1,
    );
    expect(report.skipped).toEqual([]);
    expect(report.figures.errors?.nme).toBeLessThan(5);
  });

  test('starts from the box, and later passes from the landmarks', async () => {
    // The box holds half of the picture: only the red dot can be found at first.
    const data = writeSet('box.json', [{ ...row, box: [20, 10, 20, 20] }]);
    const [first, second] = [await run(data, 1), await run(data, 2)];
    // The dot is a plateau of 5 pixels here, and the codec centers on its first.
    expect(Math.abs((first.predictions[0]?.points?.[0]?.[0] ?? NaN) - 30.5)).toBeLessThan(2);
    expect(second.predictions[0]?.points).not.toEqual(first.predictions[0]?.points);
    // The tight box of the points is what is taken without one.
    const absent = await run(writeSet('absent.json', [row]), 1);
    const tight = await run(writeSet('tight.json', [{ ...row, box: [30.5, 20.5, 40, 20] }]), 1);
    expect(tight.predictions).toEqual(absent.predictions);
  });

  test('names, counts and skips what cannot be read', async () => {
    const data = writeSet('bad.json', [
      row,
      7,
      { points: [RED, GREEN] },
      { ...row, file: 'missing.png' },
      { ...row, file: 'broken.png' },
      { ...row, points: [RED] },
      { ...row, points: [RED, [1, null]] },
      { ...row, box: [0, 0, -1, 5] },
      { ...row, box: 'all' },
      { ...row, points: [RED, RED] },
      { ...row, normalizer: 0 },
      { file: 'dots.png', points: [RED, GREEN] },
    ]);
    const { predictions, skipped, figures } = await run(data, 1);
    expect(predictions).toHaveLength(1);
    expect(figures.errors?.nme).toBeGreaterThan(0);
    const reasons = skipped.map(({ name, reason }) => `${name}: ${reason}`);
    expect(reasons).toEqual([
      'row 1: it is no object',
      'row 2: it names no file',
      'dots.png: it has 1 points, the model 2',
      'dots.png: point 1 is [1,null], expected 2 numbers',
      'dots.png: the box is -1 x 5 pixels',
      'dots.png: the box is "all", expected 4 numbers',
      'dots.png: the box is 0 x 0 pixels',
      'dots.png: the normalizer is 0, expected a positive number',
      'dots.png: it has no normalizer; only rows of 68 points have one by default, the distance of the outer eye corners',
      expect.stringMatching(/^missing.png: .*missing/) as string,
      expect.stringMatching(/^broken.png: .*unsupported image format/) as string,
    ]);
  });

  test('refuses a pack that promises other heatmaps', async () => {
    const model = colorModel();
    const golden = { seed: 2, sha256: model.manifest.golden.sha256 };
    writeFileSync(
      inFolder('other.bitmarks'),
      writePack({ ...model, manifest: { ...model.manifest, golden } }),
    );
    const running = run(writeSet('one.json', [row]), 1, 'other.bitmarks');
    await expect(running).rejects.toMatchObject({ code: 'pack/golden' });
  });

  test.each(['[]', '{"images":7}', '{'])('refuses the set %s', async (text) => {
    writeFileSync(inFolder('set.json'), text);
    await expect(run(inFolder('set.json'), 1)).rejects.toThrow();
  });
});

const NAMES_68 = Array.from({ length: 68 }, (_, index) => `p${index}`);

test('68 points are normalized by the outer eye corners', async () => {
  const points = Array.from({ length: 68 }, (_, index) => [index, index === 45 ? 12 : 0]);
  const { rows, skipped } = await readDataset(
    writeSet('face.json', [{ file: 'x.jpg', points }]),
    NAMES_68,
  );
  expect(skipped).toEqual([]);
  expect(rows[0]).toMatchObject({ normalizer: 15, box: { x: 0, y: 0, width: 67, height: 12 } });
  expect(rows[0]?.path).toBe(inFolder('x.jpg'));
  const same = points.map(() => [3, 3]);
  const bad = await readDataset(
    writeSet('same.json', [{ file: 'x.jpg', points: same, box: [0, 0, 9, 9] }]),
    NAMES_68,
  );
  expect(bad.skipped[0]?.reason).toMatch(/outer eye corners coincide/);
});

test('gray pictures become RGBA', async () => {
  await sharp(Uint8Array.of(5, 250), { raw: { width: 2, height: 1, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(inFolder('gray.png'));
  const frame = await readFrame(inFolder('gray.png'));
  expect([frame.width, frame.height]).toEqual([2, 1]);
  expect([...frame.data]).toEqual([5, 5, 5, 255, 250, 250, 250, 255]);
});

describe('sets of people', () => {
  const names = ['r_hip', 'l_shoulder', 'head_top'];
  const read = async (row: object) =>
    readDataset(writeSet('people.json', [{ file: 'x.jpg', ...row }]), names);

  test('have a torso, may lack points, and need no normalizer', async () => {
    const points = [[10, 50], [40, 10], null];
    expect((await read({ points })).rows[0]).toMatchObject({
      points: [{ x: 10, y: 50 }, { x: 40, y: 10 }, null],
      torso: 50,
      normalizer: null,
      box: { x: 10, y: 10, width: 30, height: 40 },
    });
    const known = { points: [...points.slice(0, 2), [9, 9]], known: [1, 1, 0] };
    expect((await read(known)).rows[0]?.points[2]).toBeNull();
    const told = { points: [null, [40, 10], [1, 1]], normalizer: 60 };
    expect((await read(told)).rows[0]).toMatchObject({ torso: 60, normalizer: 60 });
  });

  test.each([
    [{ points: [null, [40, 10], [1, 1]] }, 'l_shoulder and r_hip are not both known'],
    [{ points: [null, null, null] }, 'none of its points is known'],
    [
      {
        points: [
          [1, 1],
          [2, 2],
          [3, 3],
        ],
        known: [1],
      },
      'list "known" does not have an entry',
    ],
  ])('%j is skipped', async (row, reason) => {
    expect((await read(row)).skipped[0]?.reason).toContain(reason);
  });
});

describe('finders', () => {
  test('rows give boxes, subjects or the points of one', async () => {
    const { rows, skipped } = await readFinderDataset(
      writeSet('finder.json', [
        { file: 'a.jpg', boxes: [[1, 2, 3, 4]] },
        { file: 'b.jpg', boxes: [] },
        {
          file: 'c.jpg',
          subjects: [
            [
              [1, 1],
              [5, 3],
            ],
            [[7, 7], null, [8, 9]],
          ],
        },
        {
          file: 'd.jpg',
          points: [
            [1, 1],
            [5, 3],
          ],
        },
        { file: 'e.jpg' },
      ]),
    );
    expect(rows.map(({ boxes }) => boxes)).toEqual([
      [{ x: 1, y: 2, width: 3, height: 4 }],
      [],
      [
        { x: 1, y: 1, width: 4, height: 2 },
        { x: 7, y: 7, width: 1, height: 2 },
      ],
      [{ x: 1, y: 1, width: 4, height: 2 }],
    ]);
    expect(skipped).toEqual([{ name: 'e.jpg', reason: 'it has no list "points"' }]);
  });

  test('are measured by recall and false alarms', async () => {
    writeFileSync(inFolder('finder.bitmarks'), dotsFinderPack());
    const { data, width, height } = drawDots(320, 240, [{ x: 160, y: 120, size: 110 }]);
    await sharp(data, { raw: { width, height, channels: 4 } })
      .png()
      .toFile(inFolder('face.png'));
    const boxes = [[105, 65, 110, 110]];
    const images = [
      { file: 'face.png', boxes },
      { file: 'face.png', boxes: [...boxes, [0, 0, 40, 40]] },
      { file: 'face.png', boxes: [] },
    ];
    const report = await run(writeSet('faces.json', images), 1, 'finder.bitmarks');
    const count = report.predictions[0]?.finds?.length ?? 0;
    expect(report.predictions.map(({ hits }) => hits)).toEqual([1, 1, 0]);
    expect(report.figures).toEqual({
      ...{
        errors: null,
        reliability: null,
        disagreement: null,
        pck: null,
        recall: 200 / 3,
        falseAlarms: (3 * count - 2) / 3,
        alarmsInFifty: 50 * count,
      },
    });
  });

  test('what is to be ignored is neither a subject nor a false alarm', async () => {
    const images = [
      { file: 'face.png', boxes: [], ignored: [[105, 65, 110, 110]] },
      { file: 'face.png', boxes: [], ignored: [[0, 0, 40, 40]] },
      { file: 'face.png', boxes: [], ignored: 7 },
    ];
    const report = await run(writeSet('ignored.json', images), 1, 'finder.bitmarks');
    const [first, second] = report.predictions;
    expect(second?.alarms).toBe((first?.alarms ?? NaN) + 1);
    expect([first, second].map((each) => [each?.subjects, each?.hits, each?.isEmpty])).toEqual([
      [0, 0, false],
      [0, 0, false],
    ]);
    expect(report.figures.alarmsInFifty).toBeNull();
    expect(report.skipped).toEqual([
      { name: 'face.png', reason: 'its "ignored" is no list of boxes' },
    ]);
  });

  test('find with the score that is asked for, and with the landmark network as detect does', async () => {
    writeFileSync(inFolder('dots.bitmarks'), dotsPack());
    const { data, width, height } = drawDots(320, 240, [{ x: 150, y: 110, size: 90 }]);
    await sharp(data, { raw: { width, height, channels: 4 } })
      .png()
      .toFile(inFolder('small.png'));
    // The finder takes every face for one of 110 pixels; the landmarks tell its true size.
    const set = writeSet('small.json', [{ file: 'small.png', boxes: [[105, 65, 90, 90]] }]);
    const none = await run(set, 1, 'finder.bitmarks', { detection: 1 });
    expect(none.figures).toMatchObject({ recall: 0, falseAlarms: 0 });
    const [alone] = (await run(set, 1, 'finder.bitmarks')).predictions;
    const landmarks = inFolder('dots.bitmarks');
    const [read] = (await run(set, 1, 'finder.bitmarks', { landmarks })).predictions;
    const wrong = (size = NaN): number => Math.abs(size - 90);
    expect(read?.finds).toHaveLength(1);
    expect(wrong(read?.finds?.[0]?.[2])).toBeLessThan(wrong(alone?.finds?.[0]?.[2]));
    expect(read).toMatchObject({ hits: 1, alarms: 0 });
    await expect(
      run(set, 1, 'finder.bitmarks', { landmarks: inFolder('finder.bitmarks') }),
    ).rejects.toThrow("a pack of the task 'face-finder' cannot read what a 'face-finder' finds");
    await expect(run(set, 1, 'dots.bitmarks', { landmarks })).rejects.toThrow('the pack is none');
  });

  test('a subject is where the landmarks are that callers draw, and where it was read if there are hardly any', () => {
    const rule = { scale: 1.25, upright: null, presence: 0.2, landmark: 0.1, visible: 0.25 };
    const frame = { width: 200, height: 100 };
    const roi = { xCenter: 0.5, yCenter: 0.5, sizePixels: 50, rotationRad: 0 };
    const at = (x: number, y: number, score: number) => ({ name: '', x, y, score });
    const landmarks = [at(0.2, 0.3, 0.9), at(0.4, 0.4, 0.25), at(0.9, 0.9, 0.24)];
    const box = boxOf({ id: 0, score: 0.5, roi, landmarks }, rule, frame);
    expect([box.x, box.y, box.size].map(Math.round)).toEqual([60, 35, 40]);
    expect(box.score).toBe(0.5);
    const bare = boxOf({ id: 0, score: 0.5, roi, landmarks: landmarks.slice(1) }, rule, frame);
    expect(bare).toEqual({ x: 100, y: 50, size: 40, score: 0.5 });
  });
});
