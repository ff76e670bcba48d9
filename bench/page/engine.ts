/**
 * What the benchmark asks of an engine, and the picture that all engines work on.
 */
import type { Heatmaps } from '../../src/engine/backend';
import type { Model } from '../../src/model/types';
import { decodeHeatmaps, type CropPoint } from '../../src/pipeline/heatmap_codec';
import { landmarkModelOf } from '../../src/pipeline/pack_models';
import type { RegionOfInterest } from '../../src/protocol/result';

/** A frame with a face in it. */
export interface Scene {
  readonly frame: ImageData;
  /** Where a followed face would be read from: square, not rotated. */
  readonly region: RegionOfInterest;
  /** The region as the network sees it: RGB bytes, HWC. */
  readonly crop: Uint8Array;
}

export interface Engine {
  readonly name: string;
  readonly description: string;
  readonly kernels: readonly string[];
  /** The network on the finished crop. */
  runCrop(): Heatmaps | Promise<Heatmaps>;
  /** Crops the region out of the frame, then the network. */
  runFrame(): Heatmaps | Promise<Heatmaps>;
}

/** All that a followed face costs: crop, network, decoding. */
export async function findFace(engine: Engine, model: Model): Promise<CropPoint[]> {
  return decodeHeatmaps(await engine.runFrame(), landmarkModelOf(model).codec);
}
