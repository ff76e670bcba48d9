/**
 * `npm run cards -- --pack models/face.bitmarks REPORT.json...`: writes the measured part of the pack's card, models/face.md,
 * from the pack itself and from reports that `npm run evaluate -- --out REPORT.json` wrote for it. Arguments only.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Report } from '../bench/evaluate/evaluate';
import { parsePack } from '../src/model/pack';
import { measuredPart, replaceMeasured } from './card';

const USAGE = 'usage: npm run cards -- --pack FILE.bitmarks REPORT.json...';

try {
  const { values, positionals } = parseArgs({
    options: { pack: { type: 'string' } },
    allowPositionals: true,
  });
  if (values.pack === undefined) throw new Error(USAGE);
  const reports = positionals.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report);
  const part = measuredPart(parsePack(readFileSync(values.pack)), reports);
  const card = values.pack.replace(/\.bitmarks$/, '.md');
  writeFileSync(card, replaceMeasured(readFileSync(card, 'utf8'), part, card));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
