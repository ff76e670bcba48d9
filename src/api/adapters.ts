/**
 * Results in the shapes of MediaPipe Tasks and of TensorFlow.js face-landmarks-detection, for code written against those.
 * Shapes only: the landmarks stay the 68 of the model.
 */
import type { FaceLandmarkerResult } from './result';

/** As in MediaPipe Tasks' FaceLandmarkerResult; the network has no depth, blend shapes or transformation matrices. */
export interface MediaPipeFaceResult {
  readonly faceLandmarks: {
    readonly x: number;
    readonly y: number;
    readonly z: number;
    readonly visibility: number;
  }[][];
  readonly faceBlendshapes: never[];
  readonly facialTransformationMatrixes: never[];
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

export function toMediaPipe({ faces }: FaceLandmarkerResult): MediaPipeFaceResult {
  return {
    faceLandmarks: faces.map(({ landmarks }) =>
      landmarks.map(({ x, y, score }) => ({ x, y, z: 0, visibility: score })),
    ),
    faceBlendshapes: [],
    facialTransformationMatrixes: [],
  };
}

export function toTfjs({ faces, width, height }: FaceLandmarkerResult): TfjsFace[] {
  return faces.map(({ landmarks, box }) => ({
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
