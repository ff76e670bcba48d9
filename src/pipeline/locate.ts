/**
 * One region to landmarks, and a region refined by its own landmarks. The evaluation and the worker both go through
 * here. Knows no search, no time and no identities.
 */
import type { Heatmaps } from '../engine/backend';
import type { Manifest, SoftmaxCodec } from '../model/types';
import type { RegionOfInterest } from '../protocol/result';
import { decodeHeatmaps, type CropPoint } from './heatmap_codec';
import { cropToFramePixels, roiFromLandmarks, type FrameSize } from './roi';

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
