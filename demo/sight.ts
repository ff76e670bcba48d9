/**
 * What is seen in one picture: the results of one landmarker or of two, put together. Draws and decides nothing.
 */
import type {
  FaceLandmarkerResult,
  LandmarkerResult,
  PoseLandmarkerResult,
  SessionInfo,
  Subject,
} from '../src/index';
import type { Kind } from './session';

/** Faces and people of one picture; timings and network runs are those of all landmarkers together. */
export type SightResult = FaceLandmarkerResult & PoseLandmarkerResult;

/** The newest answer of one landmarker. */
export interface Part {
  readonly kind: Kind;
  readonly result: FaceLandmarkerResult | PoseLandmarkerResult;
  readonly info: SessionInfo;
}

export function subjectsOf({ result }: Part): readonly Subject[] {
  return 'poses' in result ? result.poses : result.faces;
}

/** The parts as one result. Throws without parts. */
export function combine(parts: readonly Part[]): SightResult {
  const [first] = parts;
  if (first === undefined) throw new Error('there is no result to combine');
  const of = (kind: Kind): Subject[] =>
    parts.filter((part) => part.kind === kind).flatMap((part) => [...subjectsOf(part)]);
  const sum = (pick: (timings: LandmarkerResult['timings']) => number): number =>
    parts.reduce((total, { result }) => total + pick(result.timings), 0);
  const { timestampMs, width, height, backend } = first.result;
  return {
    ...{ faces: of('face'), poses: of('pose'), timestampMs, width, height, backend },
    timings: {
      captureMs: sum(({ captureMs }) => captureMs),
      inferenceMs: sum(({ inferenceMs }) => inferenceMs),
      totalMs: sum(({ totalMs }) => totalMs),
      inferences: sum(({ inferences }) => inferences),
    },
  };
}

/** In words: "One face, 68 landmarks and two people, 16 landmarks"; "No face found". */
export function describe(parts: readonly Part[]): string {
  const texts = parts.map((part) => {
    const subjects = subjectsOf(part);
    const [one, many] = part.kind === 'face' ? ['face', 'faces'] : ['person', 'people'];
    const [first] = subjects;
    if (first === undefined) return `no ${one} found`;
    const count = subjects.length === 1 ? `one ${one}` : `${subjects.length} ${many}`;
    return `${count}, ${first.landmarks.length} landmarks`;
  });
  const text = texts.join(' and ');
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
