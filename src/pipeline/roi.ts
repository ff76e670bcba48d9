/**
 * Regions of interest: from boxes and landmarks to rotated squares, from squares to the integer affine of the cropper,
 * and from crop pixels back to the frame (models/README.md sections 3 and 5). Geometry only: no pixels, no scores.
 */
import type { CropAffine } from '../engine/backend';
import { MAX_POSITION_PIXELS, MAX_TAPS } from '../model/crop';
import type { RoiRule } from '../model/types';
import type { RegionOfInterest } from '../protocol/result';

/** Size of the source frame in pixels. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/** A point; the space it lives in (source pixels, crop pixels, normalized) is named by whoever hands it over. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Axis-aligned box in source pixels, continuous coordinates (0 = left edge of the first pixel). */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What the cropper needs: an integer affine in 1/65536 source pixels, and taps per axis. */
export interface Crop {
  readonly affine: CropAffine;
  readonly taps: number;
}

/** How far a crop may reach; two pixels are kept for taps and rounding. */
const MAX_REACH_PIXELS = MAX_POSITION_PIXELS - 2;
/** Centers further out than this belong to no frame, the largest being MAX_FRAME_SIDE. */
const MAX_CENTER_PIXELS = 12288;
const MIN_SIDE_PIXELS = 2;

/** Square of side `scale` x the longer side of the box, centered on it, not rotated. */
export function roiFromBox(box: Box, frame: FrameSize, scale: number): RegionOfInterest {
  return limitRoi(
    box.x + box.width / 2,
    box.y + box.height / 2,
    scale * Math.max(box.width, box.height),
    0,
    frame,
  );
}

/** Squares of this side that cover the frame, row by row, evenly spaced, centers at most `stride` sides apart. */
export function coveringSquares(
  frame: FrameSize,
  sidePixels: number,
  stride: number,
): RegionOfInterest[] {
  const box = { width: sidePixels, height: sidePixels };
  const step = stride * sidePixels;
  return starts(frame.height, sidePixels, step).flatMap((y) =>
    starts(frame.width, sidePixels, step).map((x) => roiFromBox({ x, y, ...box }, frame, 1)),
  );
}

/** Evenly spaced left (or top) edges of sides that cover the whole length, at most `step` apart. */
function starts(length: number, side: number, step: number): number[] {
  const spare = length - side;
  if (spare <= 0) return [spare / 2];
  const gaps = Math.ceil(spare / step - 1e-9);
  return Array.from({ length: gaps + 1 }, (_, i) => (spare * i) / gaps);
}

/** Square of this side around a point, both in source pixels. */
export function roiAround(
  { x, y }: Point,
  sidePixels: number,
  rotationRad: number,
  frame: FrameSize,
): RegionOfInterest {
  return limitRoi(x, y, sidePixels, rotationRad, frame);
}

/** The region with another side, `share` times its own, around the same center. */
export function resized(
  { xCenter, yCenter, sizePixels, rotationRad }: RegionOfInterest,
  share: number,
  frame: FrameSize,
): RegionOfInterest {
  const center = { x: xCenter * frame.width, y: yCenter * frame.height };
  return roiAround(center, share * sizePixels, rotationRad, frame);
}

/**
 * Square around landmarks given in source pixels: rotated so that the line between the two `upright` landmarks is
 * horizontal, or not rotated, side `scale` x the longer side of the tight box of the points `within` (default: all)
 * measured along the square's own axes, centered on it.
 */
export function roiFromLandmarks(
  pointsInPixels: readonly Point[],
  frame: FrameSize,
  rule: Pick<RoiRule, 'scale' | 'upright'>,
  within = pointsInPixels,
): RegionOfInterest {
  const [from, to] = (rule.upright ?? []).map((index) => pointsInPixels[index]);
  const rotationRad = from && to ? Math.atan2(to.y - from.y, to.x - from.x) : 0;
  const cos = Math.cos(rotationRad);
  const sin = Math.sin(rotationRad);
  let minU = Infinity;
  let maxU = -Infinity;
  let minV = Infinity;
  let maxV = -Infinity;
  for (const { x, y } of within) {
    const u = x * cos + y * sin;
    const v = y * cos - x * sin;
    minU = Math.min(minU, u);
    maxU = Math.max(maxU, u);
    minV = Math.min(minV, v);
    maxV = Math.max(maxV, v);
  }
  const u = (minU + maxU) / 2;
  const v = (minV + maxV) / 2;
  const side = rule.scale * Math.max(maxU - minU, maxV - minV);
  return limitRoi(u * cos - v * sin, u * sin + v * cos, side, rotationRad, frame);
}

/** Affine and taps that crop the region, or its mirror image, to `cropSize` x `cropSize` pixels. */
export function roiToCropAffine(
  roi: RegionOfInterest,
  frame: FrameSize,
  cropSize: number,
  isMirrored = false,
): Crop {
  const step = roi.sizePixels / cropSize;
  const cos = step * Math.cos(roi.rotationRad);
  const sin = step * Math.sin(roi.rotationRad);
  const [ux, uy] = isMirrored ? [-cos, -sin] : [cos, sin];
  // The center of crop pixel (0, 0) lies this many crop pixels left of and above the center of the crop.
  const offset = (cropSize - 1) / 2;
  // The last half pixel turns continuous coordinates into those where whole numbers are pixel centers.
  const x0 = roi.xCenter * frame.width - offset * (ux - sin) - 0.5;
  const y0 = roi.yCenter * frame.height - offset * (uy + cos) - 0.5;
  return {
    affine: [toFixed(x0), toFixed(y0), toFixed(ux), toFixed(uy), toFixed(-sin), toFixed(cos)],
    taps: Math.min(MAX_TAPS, Math.max(1, Math.ceil(step - 0.25))),
  };
}

/** Crop pixels (continuous, 0 = left edge of the crop) to source pixels. Keeps whatever else the points carry. */
export function cropToFramePixels<P extends Point>(
  pointsInCrop: readonly P[],
  roi: RegionOfInterest,
  frame: FrameSize,
  cropSize: number,
): P[] {
  const step = roi.sizePixels / cropSize;
  const cos = step * Math.cos(roi.rotationRad);
  const sin = step * Math.sin(roi.rotationRad);
  const xCenter = roi.xCenter * frame.width;
  const yCenter = roi.yCenter * frame.height;
  return pointsInCrop.map((point) => {
    const u = point.x - cropSize / 2;
    const v = point.y - cropSize / 2;
    return { ...point, x: xCenter + u * cos - v * sin, y: yCenter + u * sin + v * cos };
  });
}

/** Crop pixels to 0..1 of the frame. Keeps whatever else the points carry. */
export function projectLandmarks<P extends Point>(
  pointsInCrop: readonly P[],
  roi: RegionOfInterest,
  frame: FrameSize,
  cropSize: number,
): P[] {
  return cropToFramePixels(pointsInCrop, roi, frame, cropSize).map((point) => ({
    ...point,
    x: point.x / frame.width,
    y: point.y / frame.height,
  }));
}

/** Distance of the centers of two regions, in sides of the larger one. */
export function centerDistance(a: RegionOfInterest, b: RegionOfInterest, frame: FrameSize): number {
  const dx = (a.xCenter - b.xCenter) * frame.width;
  const dy = (a.yCenter - b.yCenter) * frame.height;
  return Math.sqrt(dx * dx + dy * dy) / Math.max(a.sizePixels, b.sizePixels);
}

/** Share of the smaller of two regions that the other one covers, rotation ignored, 0..1. */
export function coveredShare(a: RegionOfInterest, b: RegionOfInterest, frame: FrameSize): number {
  const smaller = Math.min(a.sizePixels, b.sizePixels);
  const reach = (a.sizePixels + b.sizePixels) / 2;
  const side = (distance: number): number =>
    Math.min(smaller, Math.max(0, reach - Math.abs(distance))) / smaller;
  return side((a.xCenter - b.xCenter) * frame.width) * side((a.yCenter - b.yCenter) * frame.height);
}

/** Whether a point in source pixels lies in the frame. */
export function isInFrame({ x, y }: Point, { width, height }: FrameSize): boolean {
  return x >= 0 && y >= 0 && x <= width && y <= height;
}

/** The place in the frame that is nearest to a point in source pixels. */
export function nearestInFrame({ x, y }: Point, { width, height }: FrameSize): Point {
  return { x: clamp(x, 0, width), y: clamp(y, 0, height) };
}

/** Whether a point in source pixels lies in the region. */
export function isInRegion({ x, y }: Point, region: RegionOfInterest, frame: FrameSize): boolean {
  const dx = x - region.xCenter * frame.width;
  const dy = y - region.yCenter * frame.height;
  const cos = Math.cos(region.rotationRad);
  const sin = Math.sin(region.rotationRad);
  const reach = Math.max(Math.abs(dx * cos + dy * sin), Math.abs(dy * cos - dx * sin));
  return reach <= region.sizePixels / 2;
}

/** Keeps every position of the crop inside what the integer cropper can address. */
function limitRoi(
  xPixels: number,
  yPixels: number,
  sidePixels: number,
  rotationRad: number,
  frame: FrameSize,
): RegionOfInterest {
  const x = clamp(xPixels, -MAX_CENTER_PIXELS, MAX_CENTER_PIXELS);
  const y = clamp(yPixels, -MAX_CENTER_PIXELS, MAX_CENTER_PIXELS);
  // The corners lie side / sqrt(2) from the center.
  const largest = (MAX_REACH_PIXELS - Math.max(Math.abs(x), Math.abs(y))) * Math.SQRT2;
  return {
    xCenter: x / frame.width,
    yCenter: y / frame.height,
    sizePixels: clamp(sidePixels, MIN_SIDE_PIXELS, largest),
    rotationRad,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Rounds to 1/65536; adding 0 turns -0 into 0. */
function toFixed(value: number): number {
  return Math.round(value * 65536) + 0;
}
