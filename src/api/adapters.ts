/**
 * Results in the shapes of MediaPipe Tasks and of TensorFlow.js, for code written against those. Shapes only: the landmarks
 * stay those of the model, 68 of a face and the 16 joints of MPII of a person, where MediaPipe has 478 and 33.
 */
import type { FaceLandmarkerResult, PoseLandmarkerResult, Subject } from './result';

/** As in MediaPipe Tasks; the networks have no depth, and the score stands for the visibility. */
export interface MediaPipeLandmark {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly visibility: number;
}

/** As in MediaPipe Tasks' FaceLandmarkerResult; the network has no blend shapes or transformation matrices. */
export interface MediaPipeFaceResult {
  readonly faceLandmarks: MediaPipeLandmark[][];
  readonly faceBlendshapes: never[];
  readonly facialTransformationMatrixes: never[];
}

/** As in MediaPipe Tasks' PoseLandmarkerResult, with 16 joints in the order of `info.model.landmarks`; no world coordinates. */
export interface MediaPipePoseResult {
  readonly landmarks: MediaPipeLandmark[][];
  readonly worldLandmarks: never[];
}

/** As in TensorFlow.js face-landmarks-detection's Face; pixels of the frame. */
export interface TfjsFace {
  readonly keypoints: { readonly x: number; readonly y: number; readonly name: string }[];
  readonly box: {
    readonly xMin: number;
    readonly yMin: number;
    readonly xMax: number;
    readonly yMax: number;
    readonly width: number;
    readonly height: number;
  };
}

/** As in TensorFlow.js pose-detection's Pose; pixels of the frame. */
export interface TfjsPose {
  readonly keypoints: {
    readonly x: number;
    readonly y: number;
    readonly score: number;
    readonly name: string;
  }[];
  readonly score: number;
  readonly id: number;
}

export function toMediaPipe(result: FaceLandmarkerResult): MediaPipeFaceResult;
export function toMediaPipe(result: PoseLandmarkerResult): MediaPipePoseResult;
export function toMediaPipe(
  result: FaceLandmarkerResult | PoseLandmarkerResult,
): MediaPipeFaceResult | MediaPipePoseResult {
  const toLandmarks = (subjects: readonly Subject[]): MediaPipeLandmark[][] =>
    subjects.map(({ landmarks }) =>
      landmarks.map(({ x, y, score }) => ({ x, y, z: 0, visibility: score })),
    );
  if ('poses' in result) return { landmarks: toLandmarks(result.poses), worldLandmarks: [] };
  return {
    faceLandmarks: toLandmarks(result.faces),
    faceBlendshapes: [],
    facialTransformationMatrixes: [],
  };
}

export function toTfjs(result: FaceLandmarkerResult): TfjsFace[];
export function toTfjs(result: PoseLandmarkerResult): TfjsPose[];
export function toTfjs(
  result: FaceLandmarkerResult | PoseLandmarkerResult,
): TfjsFace[] | TfjsPose[] {
  const { width, height } = result;
  if ('poses' in result) {
    return result.poses.map(({ landmarks, score, id }) => ({
      keypoints: landmarks.map((point) => ({
        x: point.x * width,
        y: point.y * height,
        score: point.score,
        name: point.name,
      })),
      score,
      id,
    }));
  }
  return result.faces.map(({ landmarks, box }) => ({
    keypoints: landmarks.map(({ x, y, name }) => ({ x: x * width, y: y * height, name })),
    box: {
      xMin: box.x * width,
      yMin: box.y * height,
      xMax: (box.x + box.width) * width,
      yMax: (box.y + box.height) * height,
      width: box.width * width,
      height: box.height * height,
    },
  }));
}
