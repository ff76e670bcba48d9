/**
 * A network that sees ideal faces: heatmaps computed from where faces are, for tests of what happens around inference.
 * A face is a square with its four corners as landmarks; it is seen only by regions that hold it well.
 */
import type { Heatmaps } from '../../src/engine/backend';
import type { LandmarkModel } from '../../src/pipeline/pack_models';
import type { FrameSize, Point } from '../../src/pipeline/roi';
import type { RegionOfInterest } from '../../src/protocol/result';

export interface FakeFace {
  /** Center, in source pixels. */
  readonly x: number;
  readonly y: number;
  /** Side, in source pixels. */
  readonly size: number;
  readonly angleRad?: number;
  /** Largest score that a region can give it, 0..1; default 1. */
  readonly clarity?: number;
  /** Score that a finder gives it, 0..1; default 0.95. */
  readonly findScore?: number;
}

export const FAKE_MODEL: LandmarkModel = {
  codec: { type: 'softmax', stride: 4, window: 5, scale: 0.01 },
  roi: { scale: 1.5, upright: [0, 1], presence: 0.5 },
  cropSize: 128,
  landmarks: ['top_left', 'top_right', 'bottom_right', 'bottom_left'],
  mirror: [1, 0, 3, 2],
  connections: [],
};

/** Corners in landmark order, in source pixels. */
export function cornersOf({ x, y, size, angleRad = 0 }: FakeFace): Point[] {
  const cos = (Math.cos(angleRad) * size) / 2;
  const sin = (Math.sin(angleRad) * size) / 2;
  return [
    { x: x - cos + sin, y: y - sin - cos },
    { x: x + cos + sin, y: y + sin - cos },
    { x: x + cos - sin, y: y + sin + cos },
    { x: x - cos - sin, y: y - sin + cos },
  ];
}

/** What the network answers for a region of a frame with these faces. */
export function fakeHeatmaps(
  region: RegionOfInterest,
  frame: FrameSize,
  faces: readonly FakeFace[],
): Heatmaps {
  const cells = 32;
  const data = new Int16Array(cells * cells * 4);
  const face = faces.find((candidate) => isSeen(region, frame, candidate));
  if (face !== undefined) {
    const clarity = face.clarity ?? 1;
    // The peak weighs 2 pi sigma^2 = 2.26 cells; about 1000 cells of this weight leave it the share `clarity`.
    const floorWeight = (2.26 * (1 - clarity)) / (clarity * 1000);
    const floor = Math.max(-32768, Math.round(Math.log(floorWeight) / FAKE_MODEL.codec.scale));
    cornersOf(face).forEach((corner, channel) => {
      const at = toCells(corner, region, frame);
      for (let cell = 0; cell < cells * cells; cell += 1) {
        const dx = (cell % cells) + 0.5 - at.x;
        const dy = Math.floor(cell / cells) + 0.5 - at.y;
        const logit = -(dx * dx + dy * dy) / (2 * 0.6 * 0.6) / FAKE_MODEL.codec.scale;
        data[cell * 4 + channel] = Math.max(floor, Math.round(logit));
      }
    });
  }
  return { data, height: cells, width: cells, channels: 4 };
}

function isSeen(region: RegionOfInterest, frame: FrameSize, face: FakeFace): boolean {
  const ratio = region.sizePixels / face.size;
  const turn = Math.abs(region.rotationRad - (face.angleRad ?? 0));
  return (
    ratio > 1 &&
    ratio < 2.4 &&
    turn < 0.6 &&
    cornersOf(face).every((corner) => {
      const { x, y } = toCells(corner, region, frame);
      return x > 0 && x < 32 && y > 0 && y < 32;
    })
  );
}

/** Source pixels to heatmap cells of the region's crop, continuous. */
function toCells(point: Point, region: RegionOfInterest, frame: FrameSize): Point {
  const dx = point.x - region.xCenter * frame.width;
  const dy = point.y - region.yCenter * frame.height;
  const cos = Math.cos(region.rotationRad);
  const sin = Math.sin(region.rotationRad);
  const scale = 32 / region.sizePixels;
  return { x: 16 + (dx * cos + dy * sin) * scale, y: 16 + (dy * cos - dx * sin) * scale };
}
