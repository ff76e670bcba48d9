/**
 * Row: @vladmandic/face-api with the tiny detector and the 68-point network that its package holds, on tfjs-wasm, one thread.
 */
import { importPackage, PACKAGES, type MakeRunner } from '../contestant';

/** The part of the package that runs here; its own types do not pass strict checking. */
interface FaceApi {
  readonly version: string;
  readonly tf: {
    setWasmPaths(folder: string): void;
    setBackend(name: string): Promise<boolean>;
    ready(): Promise<void>;
    env(): { set(flag: string, value: boolean): void };
  };
  readonly nets: Readonly<
    Record<'tinyFaceDetector' | 'faceLandmark68Net', { loadFromUri(uri: string): Promise<void> }>
  >;
  readonly TinyFaceDetectorOptions: new () => object;
  detectSingleFace(
    input: HTMLCanvasElement,
    options: object,
  ): { withFaceLandmarks(): Promise<object | undefined> };
}

export const makeRunner: MakeRunner = async (_, photos) => {
  const faceApi = (await importPackage('@vladmandic/face-api/dist/face-api.esm.js')) as FaceApi;
  const { tf, nets } = faceApi;
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  tf.setWasmPaths(`${PACKAGES}/@tensorflow/tfjs-backend-wasm/wasm-out/`);
  if (!(await tf.setBackend('wasm'))) throw new Error('tfjs-wasm could not be started');
  await tf.ready();
  const models = `${PACKAGES}/@vladmandic/face-api/model`;
  await nets.tinyFaceDetector.loadFromUri(models);
  await nets.faceLandmark68Net.loadFromUri(models);
  const options = new faceApi.TinyFaceDetectorOptions();
  return {
    description: '@vladmandic/face-api 1.7.15, tfjs-wasm, one thread',
    frame: async (photo) => {
      const canvas = photos[photo];
      if (canvas === undefined) throw new Error(`no photo ${photo}`);
      const face = await faceApi.detectSingleFace(canvas, options).withFaceLandmarks();
      return face === undefined ? 0 : 1;
    },
  };
};
