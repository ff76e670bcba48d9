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
import type { SessionInfo } from '../protocol/service';

/** Axis-aligned box, in 0..1 of the frame (landmarks outside the frame make it reach beyond). */
export interface BoundingBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A face or a person. */
export interface Subject {
  /** In the model's order; `info.model.landmarks` has the names, `info.model.connections` the lines to draw. */
  readonly landmarks: readonly NormalizedLandmark[];
  /**
   * Mean score of the landmarks that count, 0..1: all of a face, the eight surest of a person. Of who is not clear in a still image the
   * middle one of three readings' means, so that it can be lower than the landmarks' own.
   */
  readonly score: number;
  /** Stable while the subject is followed by track or detectForVideo; detect numbers those of one image from 0. */
  readonly id: number;
  /** Tight box of the landmarks that are present (`info.model.minLandmarkScore`). */
  readonly box: BoundingBox;
  /** Square that the landmarks were read from; that of a face is turned with it. */
  readonly roi: RegionOfInterest;
}

export type Face = Subject;
export type Pose = Subject;

/** What the results of all landmarkers have. */
export interface LandmarkerResult {
  /** Time of the frame: as given to detectForVideo, else on the clock of performance.now(). */
  readonly timestampMs: number;
  /** Size of the frame in pixels. */
  readonly width: number;
  readonly height: number;
  readonly timings: StageTimings;
  /** Backend that computed this result. */
  readonly backend: LandmarkResult['backend'];
}

export interface FaceLandmarkerResult extends LandmarkerResult {
  /** Best-scored first in detect, in order of appearance in track and detectForVideo. Empty if none was found. */
  readonly faces: readonly Face[];
}

export interface PoseLandmarkerResult extends LandmarkerResult {
  /** Best-scored first in detect, in order of appearance in track and detectForVideo. Empty if nobody was found. */
  readonly poses: readonly Pose[];
}

/** The subjects of a result, and all else in it. */
export function subjectsOf(
  { subjects, ...rest }: LandmarkResult,
  { model }: SessionInfo,
): { readonly subjects: readonly Subject[]; readonly rest: LandmarkerResult } {
  return { subjects: subjects.map((subject) => toSubject(subject, model.minLandmarkScore)), rest };
}

function toSubject({ landmarks, score, id, roi }: DetectedSubject, minScore: number): Subject {
  const present = landmarks.filter((landmark) => landmark.score >= minScore);
  return { landmarks, score, id, box: boxOf(present.length > 0 ? present : landmarks), roi };
}

function boxOf(landmarks: readonly NormalizedLandmark[]): BoundingBox {
  const xs = landmarks.map(({ x }) => x);
  const ys = landmarks.map(({ y }) => y);
  const x = Math.min(...xs);
  const y = Math.min(...ys);
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}
