/**
 * One region to landmarks, and a region refined by its own landmarks. The evaluation and the worker both go through
 * here. Knows no search, no time and no identities.
 */
import type { Heatmaps } from '../engine/backend';
import type { Manifest, SoftmaxCodec } from '../model/types';
import type { RegionOfInterest } from '../protocol/result';
import { decodeHeatmaps, type CropPoint } from './heatmap_codec';
import { centerDistance, cropToFramePixels, roiFromLandmarks, type FrameSize } from './roi';

/** What of a model the pipeline needs. */
export interface LandmarkModel {
  readonly codec: SoftmaxCodec;
  readonly roi: Manifest['roi'];
  /** Side of the network's square input in pixels. */
  readonly cropSize: number;
}

/** Crops the region out of the frame at hand and runs the network on it. */
export type Infer = (region: RegionOfInterest) => Promise<Heatmaps>;

export interface Located {
  /** In source pixels, continuous coordinates. */
  readonly points: readonly CropPoint[];
  /** Mean landmark score, 0..1. */
  readonly score: number;
  /** Region that the landmarks were read from. */
  readonly roi: RegionOfInterest;
  /** Region around the landmarks found: the one to read next. */
  readonly next: RegionOfInterest;
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

/** The same, and goes on up to `most` rounds until the region rests: what a distant window found may be half way. */
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
  const inCrop = decodeHeatmaps(await infer(roi), model.codec);
  const points = cropToFramePixels(inCrop, roi, frame, model.cropSize);
  const score = points.reduce((sum, point) => sum + point.score, 0) / points.length;
  return { points, score, roi, next: roiFromLandmarks(points, frame, model.roi) };
}
