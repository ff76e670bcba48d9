/**
 * What a detection is, on both sides of the worker boundary. Plain data only: no classes, no DOM, no engine.
 */

/** One landmark; x and y in 0..1 of the source frame (may leave that range), origin top left, pixel centres at +0.5. */
export interface NormalizedLandmark {
  readonly x: number;
  readonly y: number;
  /** Probability in 0..1 that the landmark lies where it is reported (see models/README.md section 4). */
  readonly score: number;
  readonly name: string;
}

/** A rotated square region, in 0..1 of the frame for the centre, in pixels for the side. */
export interface RegionOfInterest {
  readonly xCenter: number;
  readonly yCenter: number;
  /** Side in source pixels. */
  readonly sizePixels: number;
  /** Clockwise in the image, radians. */
  readonly rotationRad: number;
}

export interface DetectedSubject {
  /** Stable while the subject is followed by track or detectForVideo; detect gives 0, 1, ... */
  readonly id: number;
  /**
   * Mean score of the landmarks that count (all of a face; the eight surest of a person), 0..1; of who is not clear in a still image
   * the middle one of three readings' means, so that it can be lower than the landmarks' own.
   */
  readonly score: number;
  readonly landmarks: readonly NormalizedLandmark[];
  /** Region that the landmarks were read from. */
  readonly roi: RegionOfInterest;
}

/** Milliseconds spent in the worker on one frame. */
export interface StageTimings {
  /** Frame to RGBA bytes. */
  readonly captureMs: number;
  /** Crop and network, over all regions tried. */
  readonly inferenceMs: number;
  /** Whole call inside the worker. */
  readonly totalMs: number;
  /** Network runs in this call, those of the finder included: 1 while one subject is followed, more while one is missing. */
  readonly inferences: number;
}

export interface LandmarkResult {
  readonly subjects: readonly DetectedSubject[];
  readonly timestampMs: number;
  /** Source frame size in pixels. */
  readonly width: number;
  readonly height: number;
  readonly timings: StageTimings;
  /** Backend that computed this result; another one than before when a lost device made the service fall back. */
  readonly backend: 'webgpu' | 'wasm' | 'reference';
}
