/**
 * One region to landmarks, and a region refined by its own landmarks. The evaluation and the worker both go through
 * here. Knows no search, no time and no identities.
 */
import type { Heatmaps } from '../engine/backend';
import type { HeatmapSums } from '../model/heatmap_sums';
import type { RoiRule } from '../model/types';
import type { RegionOfInterest } from '../protocol/result';
import { decodeHeatmaps, type CropPoint } from './heatmap_codec';
import type { LandmarkModel } from './pack_models';
import {
  centerDistance,
  cropToFramePixels,
  nearestInFrame,
  roiFromLandmarks,
  type FrameSize,
  type Point,
} from './roi';

/**
 * Crops the region, or its mirror image, out of the frame at hand and runs the network on it; the result is read before the
 * next call.
 */
export type Infer = (
  region: RegionOfInterest,
  isMirrored: boolean,
) => Promise<Heatmaps | HeatmapSums>;

export interface Located {
  /** In source pixels, continuous coordinates. */
  readonly points: readonly CropPoint[];
  /** Mean score of the landmarks that count, 0..1; where several readings were compared that of another one. */
  readonly score: number;
  /** Region that the landmarks were read from. */
  readonly roi: RegionOfInterest;
  /** Region around the landmarks found: the one to read next. */
  readonly next: RegionOfInterest;
}

/**
 * Score from which another region would hardly show more of a subject that is followed: three quarters of the way from barely present,
 * `minScore`, to certain. Below it is doubtful.
 */
export function clearScore(minScore: number): number {
  return (3 + minScore) / 4;
}

/** Score from which a landmark is in the picture, 0..1. */
export function visibleScore({ landmark = 0, visible = landmark }: RoiRule): number {
  return visible;
}

/** The landmarks that a subject shows, of which some may lie outside the picture or be covered. */
export function presentPoints(points: readonly CropPoint[], minScore: number): CropPoint[] {
  return points.filter(({ score }) => score >= minScore);
}

/** Shift, growth and turn of a region below which another reading changes next to nothing. */
const SETTLED_SHARE = 0.08;

/** Reads the landmarks in `region`, then `refinements` times those in the region around the landmarks found last. */
export async function locateLandmarks(
  region: RegionOfInterest,
  frame: FrameSize,
  model: LandmarkModel,
  infer: Infer,
  refinements: number,
): Promise<Located> {
  let located = await locateOnce(region, frame, model, infer);
  for (let i = 0; i < refinements; i += 1) {
    located = await locateOnce(located.next, frame, model, infer);
  }
  return located;
}

/** The same, and goes on up to `most` rounds until the region rests: what was found from afar may be half way. */
export async function locateUntilSettled(
  region: RegionOfInterest,
  frame: FrameSize,
  model: LandmarkModel,
  infer: Infer,
  refinements: number,
  most: number,
): Promise<Located> {
  let located = await locateLandmarks(region, frame, model, infer, refinements);
  for (let round = refinements; round < most && !isSettled(located, frame); round += 1) {
    located = await locateOnce(located.next, frame, model, infer);
  }
  return located;
}

/**
 * The region to read in the next frame: that around the landmarks, but the same once more while a subject of a `clear` score rests in it,
 * which would else seem to tremble while it stands still. Below, the region goes on with its landmarks, which may lead to a better one.
 */
export function regionToFollow(
  located: Located,
  frame: FrameSize,
  clear: number,
): RegionOfInterest {
  return located.score >= clear && isSettled(located, frame) ? located.roi : located.next;
}

/** The landmarks ask for about the region that they were read from. */
function isSettled({ roi, next }: Located, frame: FrameSize): boolean {
  const growth = next.sizePixels / roi.sizePixels;
  const turnRad = Math.abs(next.rotationRad - roi.rotationRad);
  return (
    centerDistance(roi, next, frame) < SETTLED_SHARE &&
    Math.abs(growth - 1) < SETTLED_SHARE &&
    turnRad < SETTLED_SHARE
  );
}

async function locateOnce(
  roi: RegionOfInterest,
  frame: FrameSize,
  model: LandmarkModel,
  infer: Infer,
): Promise<Located> {
  const inCrop = await readCrop(roi, model, infer);
  const points = cropToFramePixels(inCrop, roi, frame, model.cropSize);
  return {
    points,
    score: scoreOf(points, model.roi),
    roi,
    next: regionOf(points, model.roi, frame) ?? roi,
  };
}

/** The landmarks in crop pixels; of a model that also reads the mirror image the means of both readings. */
async function readCrop(
  roi: RegionOfInterest,
  { codec, roi: rule, mirror, cropSize }: LandmarkModel,
  infer: Infer,
): Promise<readonly CropPoint[]> {
  const read = decodeHeatmaps(await infer(roi, false), codec);
  if (rule.mirrored !== true) return read;
  const mirrored = decodeHeatmaps(await infer(roi, true), codec);
  return read.map((point, landmark) => {
    const other = mirrored[mirror[landmark] ?? landmark] ?? point;
    return {
      x: (point.x + cropSize - other.x) / 2,
      y: (point.y + other.y) / 2,
      score: (point.score + other.score) / 2,
    };
  });
}

/** Mean of the `count` best landmark scores, of all without a count: of a person often only a part is in the picture. */
function scoreOf(points: readonly CropPoint[], { count = points.length }: RoiRule): number {
  const scores = points.map(({ score }) => score);
  // In the order of the landmarks where all count, so that the sum does not depend on the sorting.
  if (count < scores.length) scores.sort((a, b) => b - a);
  return scores.slice(0, count).reduce((sum, score) => sum + score, 0) / count;
}

/**
 * Region around the landmarks that are present and the places `beyond`; null where too few are present to say where the subject is.
 * A subject that is shown in part goes on where the frame ends, but there is nothing to read there.
 */
export function regionOf(
  points: readonly CropPoint[],
  rule: RoiRule,
  frame: FrameSize,
  beyond: readonly Point[] = [],
): RegionOfInterest | null {
  const { landmark } = rule;
  if (landmark === undefined) return roiFromLandmarks(points, frame, rule);
  const present = presentPoints(points, landmark);
  if (present.length < 2) return null;
  const within = [...present, ...beyond].map((point) => nearestInFrame(point, frame));
  return roiFromLandmarks(points, frame, rule, within);
}
