/**
 * What callers get: the public result types, and how they come from what the worker sends. No capture, no calls.
 */
import type {
  DetectedSubject,
  LandmarkResult,
  NormalizedLandmark,
  RegionOfInterest,
  StageTimings,
} from '../protocol/result';

/** Axis-aligned box, in 0..1 of the frame (landmarks outside the frame make it reach beyond). */
export interface BoundingBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Face {
  /** In the model's order; `info.model.landmarks` has the names, `info.model.connections` the lines to draw. */
  readonly landmarks: readonly NormalizedLandmark[];
  /** Mean landmark score, 0..1. */
  readonly score: number;
  /** Stable while the face is followed by track or detectForVideo; detect numbers the faces of one image from 0. */
  readonly id: number;
  /** Tight box of the landmarks. */
  readonly box: BoundingBox;
  /** Rotated square that the landmarks were read from. */
  readonly roi: RegionOfInterest;
}

export interface FaceLandmarkerResult {
  /** Best-scored first in detect, in order of appearance in track and detectForVideo. Empty if none was found. */
  readonly faces: readonly Face[];
  /** Time of the frame: as given to detectForVideo, else on the clock of performance.now(). */
  readonly timestampMs: number;
  /** Size of the frame in pixels. */
  readonly width: number;
  readonly height: number;
  readonly timings: StageTimings;
  /** Backend that computed this result. */
  readonly backend: LandmarkResult['backend'];
}

export function toFaceLandmarkerResult(result: LandmarkResult): FaceLandmarkerResult {
  const { subjects, ...rest } = result;
  return { faces: subjects.map(toFace), ...rest };
}

function toFace({ landmarks, score, id, roi }: DetectedSubject): Face {
  return { landmarks, score, id, box: boxOf(landmarks), roi };
}

function boxOf(landmarks: readonly NormalizedLandmark[]): BoundingBox {
  const xs = landmarks.map(({ x }) => x);
  const ys = landmarks.map(({ y }) => y);
  const x = Math.min(...xs);
  const y = Math.min(...ys);
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}
