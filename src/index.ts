/**
 * The public exports. Nothing else, and no code.
 */
export { toMediaPipe, toTfjs, type MediaPipeFaceResult, type TfjsFace } from './api/adapters';
export { FaceLandmarker, type CallOptions } from './api/face_landmarker';
export type { ImageSource } from './api/frame_source';
export type { Delegate, FaceLandmarkerOptions, ModelSource } from './api/options';
export type { BoundingBox, Face, FaceLandmarkerResult } from './api/result';
export { BitmarksError, type BitmarksErrorCode } from './errors';
export type { NormalizedLandmark, RegionOfInterest, StageTimings } from './protocol/result';
export type { LoadProgress, SessionInfo } from './protocol/service';
