/**
 * The public exports. Nothing else, and no code.
 */
export {
  toMediaPipe,
  toTfjs,
  type MediaPipeFaceResult,
  type MediaPipeLandmark,
  type MediaPipePoseResult,
  type TfjsFace,
  type TfjsPose,
} from './api/adapters';
export { FaceLandmarker } from './api/face_landmarker';
export type { ImageSource } from './api/frame_source';
export type { CallOptions } from './api/landmarker';
export type {
  Delegate,
  FaceLandmarkerOptions,
  LandmarkerOptions,
  ModelSource,
  ModelVariant,
  PoseLandmarkerOptions,
} from './api/options';
export { PoseLandmarker } from './api/pose_landmarker';
export type {
  BoundingBox,
  Face,
  FaceLandmarkerResult,
  LandmarkerResult,
  Pose,
  PoseLandmarkerResult,
  Subject,
} from './api/result';
export { BitmarksError, type BitmarksErrorCode } from './errors';
export type { NormalizedLandmark, RegionOfInterest, StageTimings } from './protocol/result';
export type { LoadProgress, LoadTimings, SessionInfo } from './protocol/service';
