/**
 * Scores of single landmarks from the shipped face pack: lower where a landmark is covered. How well they are calibrated is in the
 * packs' cards. Photos of the demo; the engine is WASM.
 */
import { describe, expect, test } from 'vitest';
import { painted } from '../../bench/evaluate/conditions';
import { readDataset, readFrame, type Frame } from '../../bench/evaluate/dataset';
import type { Session } from '../../src/engine/session';
import { locateLandmarks } from '../../src/pipeline/locate';
import { landmarkModelOf } from '../../src/pipeline/pack_models';
import { roiFromBox, roiToCropAffine, type Box } from '../../src/pipeline/roi';
import { openSession } from '../helpers/film';

/** Scores of all landmarks, read once in the region around the box. */
async function scoresIn(session: Session, frame: Frame, box: Box): Promise<number[]> {
  const model = landmarkModelOf(session.model);
  const located = await locateLandmarks(
    roiFromBox(box, frame, model.roi.scale),
    frame,
    model,
    (region) => {
      const crop = roiToCropAffine(region, frame, model.cropSize);
      return session.run({ kind: 'frame', ...frame, ...crop });
    },
    0,
  );
  return located.points.map(({ score }) => score);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('scores of landmarks', () => {
  test('fall where faces are covered', async () => {
    const session = await openSession('face');
    const { rows } = await readDataset(
      'demo/photos/expected.json',
      session.model.manifest.landmarks,
    );
    const falls = { covered: [] as number[], open: [] as number[] };
    for (const row of rows.filter(({ name }) => name.startsWith('face'))) {
      const frame = await readFrame(row.path);
      const { x, y, width, height } = row.box;
      // From the tip of the nose down.
      const cloth = { x: x - width, y: y + height * 0.5, width: width * 3, height };
      const plain = await scoresIn(session, frame, row.box);
      const masked = await scoresIn(session, painted(frame, cloth, 110), row.box);
      row.points.forEach((point, index) => {
        const isCovered = (point?.y ?? 0) > cloth.y;
        falls[isCovered ? 'covered' : 'open'].push((plain[index] ?? 0) - (masked[index] ?? 0));
      });
    }
    expect(mean(falls.covered)).toBeGreaterThan(0.1);
    expect(mean(falls.open)).toBeLessThan(0.05);
    session.close();
  });
});
