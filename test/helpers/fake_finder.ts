/**
 * A finder that sees the ideal faces of fake_face.ts: its heatmaps computed from where faces are, and from how large they
 * are in what it looks at. For tests of what happens around inference.
 */
import type { Heatmaps } from '../../src/engine/backend';
import type { FinderModel } from '../../src/pipeline/pack_models';
import type { FrameSize } from '../../src/pipeline/roi';
import type { RegionOfInterest } from '../../src/protocol/result';
import type { FakeFace } from './fake_face';

export const FAKE_FINDER: FinderModel = {
  codec: { type: 'centers', stride: 4, scale: 0.01, unit: 16 },
  presence: 0.5,
  cropSize: 128,
};

/** Smallest face that it sees, in pixels of its input. */
const SMALLEST_PIXELS = 8;
const CELLS = 32;

/** What the finder answers for an unrotated region of a frame with these faces. */
export function fakeFinds(
  region: RegionOfInterest,
  frame: FrameSize,
  faces: readonly FakeFace[],
): Heatmaps {
  const { stride, scale, unit } = FAKE_FINDER.codec;
  const toInput = FAKE_FINDER.cropSize / region.sizePixels;
  const data = new Int16Array(CELLS * CELLS * 6);
  for (let i = 0; i < data.length; i += 6) data[i] = -500;
  for (const { x, y, size, angleRad = 0, findScore = 0.95 } of faces) {
    const cellX = ((x - region.xCenter * frame.width) * toInput + 64) / stride;
    const cellY = ((y - region.yCenter * frame.height) * toInput + 64) / stride;
    const [column, row] = [Math.floor(cellX), Math.floor(cellY)];
    const isInside = column >= 0 && row >= 0 && column < CELLS && row < CELLS;
    if (!isInside || size * toInput < SMALLEST_PIXELS) continue;
    const values = [
      Math.log(findScore / (1 - findScore)),
      Math.log((size * toInput) / unit),
      cellX - column - 0.5,
      cellY - row - 0.5,
      Math.cos(angleRad),
      Math.sin(angleRad),
    ];
    data.set(
      values.map((value) => Math.round(value / scale)),
      (row * CELLS + column) * 6,
    );
  }
  return { data, height: CELLS, width: CELLS, channels: 6 };
}
