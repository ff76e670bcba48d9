/**
 * What is found in a whole frame, by a finder alone or, as the SDK does it, by the finder and the landmark network that reads its
 * finds. Judges nothing.
 */
import type { Heatmaps } from '../../src/engine/backend';
import type { Session } from '../../src/engine/session';
import type { RoiRule } from '../../src/model/types';
import { decodeCenters } from '../../src/pipeline/centers_codec';
import { wholeFrame } from '../../src/pipeline/finder';
import { LandmarkPipeline } from '../../src/pipeline/landmark_pipeline';
import { regionOf } from '../../src/pipeline/locate';
import { finderModelOf, landmarkModelOf } from '../../src/pipeline/pack_models';
import { cropToFramePixels, type FrameSize } from '../../src/pipeline/roi';
import { TASKS } from '../../src/pipeline/tasks';
import type { DetectedSubject, RegionOfInterest } from '../../src/protocol/result';
import type { Frame } from './dataset';

/** A subject in source pixels, continuous coordinates. */
export interface Find {
  readonly x: number;
  readonly y: number;
  /** Longer side of its box. */
  readonly size: number;
  readonly score: number;
}

/** Finds in a frame, best first; `most` is how many subjects are asked for, which a finder alone does not need. */
export type FindSubjects = (frame: Frame, most: number) => Promise<Find[]>;

/** How a network runs on a frame; the evaluation counts and times it. */
export type InferOn = (session: Session, frame: Frame, cropSize: number) => InferHeatmaps;

/** Runs a network on a region of the frame, or on its mirror image. */
export type InferHeatmaps = (region: RegionOfInterest, isMirrored?: boolean) => Promise<Heatmaps>;

/** What the finder itself shows with at least `minScore`; null: the pack's own threshold. */
export function finderAlone(
  session: Session,
  minScore: number | null,
  inferOn: InferOn,
): FindSubjects {
  const finder = finderModelOf(session.model);
  return async (frame) => {
    const window = wholeFrame(frame);
    const heatmaps = await inferOn(session, frame, finder.cropSize)(window);
    const inCrop = decodeCenters(heatmaps, finder.codec, minScore ?? finder.presence);
    const toFrame = window.sizePixels / finder.cropSize;
    return cropToFramePixels(inCrop, window, frame, finder.cropSize).map(
      ({ x, y, size, score }) => ({ x, y, size: size * toFrame, score }),
    );
  };
}

/** What `detect` returns for the frame as a still image. Throws if the landmark pack is of another task than the finder's. */
export function finderAndLandmarks(
  session: Session,
  reader: Session,
  minScore: number | null,
  inferOn: InferOn,
): FindSubjects {
  const { task: finds } = session.model.manifest;
  const { task: reads } = reader.model.manifest;
  const task = Object.entries(TASKS).find(([name]) => name === reads)?.[1];
  if (task?.finder !== finds) {
    throw new Error(`a pack of the task '${reads}' cannot read what a '${finds}' finds`);
  }
  const models = { landmarks: landmarkModelOf(reader.model), finder: finderModelOf(session.model) };
  const pipeline = new LandmarkPipeline(models, task, () => 0);
  return async (frame, most) => {
    const networks = {
      landmarks: inferOn(reader, frame, models.landmarks.cropSize),
      finder: inferOn(session, frame, models.finder.cropSize),
    };
    const subjects = await pipeline.detect(frame, networks, {
      ...{ maxSubjects: most, minDetectionConfidence: minScore, smoothing: false },
      ...{ minPresenceConfidence: null, minTrackingConfidence: null },
    });
    return subjects.map((subject) => boxOf(subject, models.landmarks.roi, frame));
  };
}

/**
 * The square around the landmarks that callers draw (`box` of the SDK's results, but turned as regions are), as the labels are boxes
 * around landmarks; with hardly any, what was read.
 */
export function boxOf(
  { landmarks, roi, score }: DetectedSubject,
  rule: RoiRule,
  { width, height }: FrameSize,
): Find {
  const points = landmarks.map(({ x, y, score }) => ({ x: x * width, y: y * height, score }));
  const { landmark, visible = landmark } = rule;
  const tight = { ...rule, scale: 1, ...(visible === undefined ? {} : { landmark: visible }) };
  const box = regionOf(points, tight, { width, height }) ?? {
    ...roi,
    sizePixels: roi.sizePixels / rule.scale,
  };
  return { x: box.xCenter * width, y: box.yCenter * height, size: box.sizePixels, score };
}
