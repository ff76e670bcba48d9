/**
 * What the pipeline takes of a pack, and whether the pack is of the kind it needs. No tensors, no regions.
 */
import { BitmarksError } from '../errors';
import type { CentersCodec, Model, RoiRule, SoftmaxCodec } from '../model/types';

export interface LandmarkModel {
  readonly codec: SoftmaxCodec;
  readonly roi: RoiRule;
  /** Side of the network's square input in pixels. */
  readonly cropSize: number;
  /** Landmark names, in the order of the heatmap channels. */
  readonly landmarks: readonly string[];
  /** Which landmark of the mirror image each landmark is. */
  readonly mirror: readonly number[];
  /** Pairs of landmarks that a line joins, as a hip and a knee. */
  readonly connections: readonly (readonly [number, number])[];
}

export interface FinderModel {
  readonly codec: CentersCodec;
  /** Score below which nothing is found, 0..1. */
  readonly presence: number;
  /** Side of the network's square input in pixels. */
  readonly cropSize: number;
}

/** Throws 'pack/malformed' or 'graph/malformed' for packs without landmarks or with an input that is no square. */
export function landmarkModelOf(model: Model): LandmarkModel {
  const { name, codec, roi, landmarks, mirror, connections } = model.manifest;
  if (codec.type !== 'softmax') throw wrongCodec(name, codec.type, 'softmax, as of landmarks');
  return { codec, roi, landmarks, mirror, connections, cropSize: squareSide(model) };
}

/** Throws 'pack/malformed' or 'graph/malformed' for packs that find nothing or with an input that is no square. */
export function finderModelOf(model: Model): FinderModel {
  const { name, codec, roi } = model.manifest;
  if (codec.type !== 'centers') throw wrongCodec(name, codec.type, 'centers, as of finders');
  return { codec, presence: roi.presence, cropSize: squareSide(model) };
}

/** Throws 'pack/malformed' unless the pack is for this task. */
export function checkTask({ manifest }: Model, task: string): void {
  if (manifest.task === task) return;
  throw new BitmarksError(
    'pack/malformed',
    `the pack '${manifest.name}' is for the task '${manifest.task}', expected '${task}'`,
  );
}

function squareSide({ graph }: Model): number {
  const [height, width] = graph.input.shape;
  if (height === width) return width;
  throw new BitmarksError(
    'graph/malformed',
    `the graph's input is ${width} x ${height}, expected a square`,
  );
}

function wrongCodec(name: string, found: string, expected: string): BitmarksError {
  return new BitmarksError(
    'pack/malformed',
    `the pack '${name}' has the codec ${found}, expected ${expected}`,
  );
}
