/**
 * `npm run failures -- --pack models/face.bitmarks --data SET.json REPORT.json`: draws the images in which a landmark pack
 * failed most into models/face_failures.jpg, for its card. The report is one that `npm run evaluate -- --out` wrote for the set;
 * give it pictures that may be shown. Drawing only.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { readDataset, type Row } from '../bench/evaluate/dataset';
import type { Prediction, Report } from '../bench/evaluate/evaluate';
import { parsePack } from '../src/model/pack';
import { failureOverlay, worstOf } from './failure_sheet';

const USAGE = 'usage: npm run failures -- --pack FILE.bitmarks --data SET.json REPORT.json';
const COLUMNS = 6;
const ROWS = 2;
const SIDE_PIXELS = 160;

async function tile(
  row: Row,
  prediction: Prediction,
  connections: readonly (readonly [number, number])[],
): Promise<Buffer> {
  const { width, height } = await sharp(row.path).metadata();
  const scale = SIDE_PIXELS / Math.max(width, height);
  const overlay = failureOverlay(
    row.points,
    prediction.points ?? [],
    connections,
    scale,
    SIDE_PIXELS,
  );
  const picture = await sharp(row.path)
    .flatten({ background: '#808080' })
    .resize(SIDE_PIXELS, SIDE_PIXELS, {
      fit: 'contain',
      position: 'left top',
      background: '#808080',
    })
    .png()
    .toBuffer();
  return sharp(picture)
    .composite([{ input: Buffer.from(overlay) }])
    .png()
    .toBuffer();
}

try {
  const { values, positionals } = parseArgs({
    options: { pack: { type: 'string' }, data: { type: 'string' } },
    allowPositionals: true,
  });
  const [file] = positionals;
  if (values.pack === undefined || values.data === undefined || file === undefined) {
    throw new Error(USAGE);
  }
  const { manifest, sha256 } = parsePack(readFileSync(values.pack));
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  if (report.model.sha256 !== sha256) {
    throw new Error(`${file} is of another pack than ${values.pack}; evaluate again`);
  }
  const { rows } = await readDataset(values.data, manifest.landmarks);
  const worst = worstOf(report.predictions, COLUMNS * ROWS);
  const tiles = await Promise.all(
    worst.map(async (prediction, index) => {
      const row = rows.find(({ name }) => name === prediction.file);
      if (row === undefined) throw new Error(`${values.data ?? ''} has no row ${prediction.file}`);
      return {
        input: await tile(row, prediction, manifest.connections),
        left: (index % COLUMNS) * SIDE_PIXELS,
        top: Math.floor(index / COLUMNS) * SIDE_PIXELS,
      };
    }),
  );
  const out = path.join(path.dirname(values.pack), `${manifest.name}_failures.jpg`);
  await sharp({
    create: {
      ...{ width: COLUMNS * SIDE_PIXELS, height: ROWS * SIDE_PIXELS },
      ...{ channels: 3, background: '#808080' },
    },
  })
    .composite(tiles)
    .jpeg({ quality: 82 })
    .toFile(out);
  console.log(`written to ${out}: ${worst.map((prediction) => prediction.file).join(', ')}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
