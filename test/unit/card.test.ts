/** The measured part of a pack's card. */
import { expect, test } from 'vitest';
import type { Prediction, Report } from '../../bench/evaluate/evaluate';
import { measuredPart, replaceMeasured } from '../../scripts/card';
import { parsePack } from '../../src/model/pack';
import { dotsPack } from '../helpers/dots';

const model = parsePack(dotsPack());
const figures = {
  ...{ errors: null, disagreement: null, pck: null, reliability: null },
  ...{ recall: null, falseAlarms: null, alarmsInFifty: null },
};

function reportOf(
  predictions: readonly Omit<Prediction, 'file' | 'score'>[],
  more: Partial<Report> = {},
): Report {
  return {
    model: { name: 'dots', sha256: model.sha256, sizeBytes: model.sizeBytes },
    condition: 'none',
    engine: {} as Report['engine'],
    figures,
    imagesPerSecond: 1,
    passMs: 1,
    predictions: predictions.map((prediction) => ({ file: 'x', score: 1, ...prediction })),
    skipped: [],
    ...more,
  };
}

test('tells the pack and every condition, the plain one by groups', () => {
  const plain = reportOf([
    { error: 0.02, yaw: -3, mouthOpen: 0.2, skinTone: -31 },
    { error: 0.04, yaw: 14.9, mouthOpen: 0, skinTone: 41 },
    { error: 0.1, yaw: -45, mouthOpen: 0 },
  ]);
  const mirrored = reportOf([{ error: 0.03, yaw: 0 }], {
    condition: 'mirrored',
    figures: { ...figures, disagreement: 1.234 },
  });
  const part = measuredPart(model, [plain, mirrored]);
  const lines = part.split('\n');
  expect(lines).toContain(`| bytes | ${model.sizeBytes} |`);
  expect(lines).toContain(`| input | ${model.graph.input.shape.join(' x ')} |`);
  expect(part.slice(part.indexOf('| images'))).toBe(
    [
      '| images | number | figures |',
      '| --- | --- | --- |',
      '| all | 3 | NME 5.333 %, failures at 8 % 33.33 % |',
      '| yaw below 15 degrees | 2 | NME 3.000 %, failures at 8 % 0.00 % |',
      '| yaw 45 degrees and more | 1 | NME 10.000 %, failures at 8 % 100.00 % |',
      '| light skin (angle above 41 degrees) | 1 | NME 4.000 %, failures at 8 % 0.00 % |',
      '| dark skin (below -30 degrees) | 1 | NME 2.000 %, failures at 8 % 0.00 % |',
      '| open mouth | 1 | NME 2.000 %, failures at 8 % 0.00 % |',
      '| mirrored | 1 | NME 3.000 %, failures at 8 % 0.00 %, 1.23 % from the landmarks of the image as it is |',
    ].join('\n'),
  );
});

test('tells how far scores can be believed', () => {
  const reliability = {
    calibrationError: 2.34,
    ranges: [{ landmarks: 7, score: 0.951, right: 0.9 }],
  };
  const part = measuredPart(model, [reportOf([{}], { figures: { ...figures, reliability } })]);
  expect(part).toContain('2.3 points apart on average');
  expect(part).toContain('| 0.95 | 90.0 % | 7 |');
});

test('refuses reports of another pack, and cards without a place', () => {
  const other = reportOf([], { model: { name: 'dots', sha256: 'f'.repeat(64), sizeBytes: 1 } });
  expect(() => measuredPart(model, [other])).toThrow('evaluate again');
  expect(() => replaceMeasured('# face', 'x', 'face.md')).toThrow(
    'face.md has no <!-- measured -->',
  );
  const card = 'a\n<!-- measured -->\nold\n<!-- /measured -->\nb';
  expect(replaceMeasured(card, 'new', 'face.md')).toBe(
    'a\n<!-- measured -->\n\nnew\n\n<!-- /measured -->\nb',
  );
});
