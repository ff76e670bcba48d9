/**
 * Row: MediaPipe's npm packages that hold their models, @mediapipe/face_mesh and @mediapipe/pose (lite), following one subject.
 * They compute through WebGL, so without a GPU they are as fast as the browser's software WebGL.
 */
import { loadScript, PACKAGES, type MakeRunner } from '../contestant';

interface Results {
  readonly multiFaceLandmarks?: readonly unknown[];
  readonly poseLandmarks?: unknown;
}

interface Solution {
  initialize(): Promise<void>;
  setOptions(options: object): void;
  onResults(listener: (results: Results) => void): void;
  send(input: { readonly image: HTMLCanvasElement }): Promise<void>;
}

type SolutionClass = new (config: { locateFile(file: string): string }) => Solution;

export const makeRunner: MakeRunner = async ({ choice }, photos) => {
  const name = choice === 'pose' ? 'Pose' : 'FaceMesh';
  await loadScript(`@mediapipe/${choice}/${choice}.js`);
  const Made = Reflect.get(window, name) as SolutionClass;
  const solution = new Made({ locateFile: (file) => `${PACKAGES}/@mediapipe/${choice}/${file}` });
  let found = 0;
  solution.setOptions(choice === 'pose' ? { modelComplexity: 0 } : { maxNumFaces: 1 });
  solution.onResults(({ multiFaceLandmarks, poseLandmarks }) => {
    found = multiFaceLandmarks?.length ?? (poseLandmarks === undefined ? 0 : 1);
  });
  await solution.initialize();
  return {
    description: `@mediapipe/${choice}, WASM and WebGL`,
    frame: async (photo) => {
      const image = photos[photo];
      if (image === undefined) throw new Error(`no photo ${photo}`);
      await solution.send({ image });
      return found;
    },
  };
};
