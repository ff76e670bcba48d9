/**
 * Row: Bitmarks as a page uses it: the built package, its worker, WASM, one subject followed. One thread, as its engine has.
 */
import type * as Bitmarks from '../../../src/index';
import type { MakeRunner } from '../contestant';

declare global {
  interface Window {
    bitmarks?: typeof Bitmarks;
  }
}

export const makeRunner: MakeRunner = async ({ task }, photos) => {
  const script = document.createElement('script');
  script.src = '/dist/bitmarks.global.js';
  await new Promise((resolve) => {
    script.addEventListener('load', resolve);
    document.head.append(script);
  });
  const sdk = window.bitmarks;
  if (sdk === undefined) throw new Error('dist/bitmarks.global.js is missing');
  const options = { delegate: 'wasm', threads: 1 } as const;
  const frameOf = (photo: number): HTMLCanvasElement => {
    const canvas = photos[photo];
    if (canvas === undefined) throw new Error(`no photo ${photo}`);
    return canvas;
  };
  if (task === 'face') {
    const landmarker = await sdk.FaceLandmarker.create(options);
    return {
      description: landmarker.info.device,
      frame: async (photo) => {
        const result = await landmarker.detectForVideo(frameOf(photo), performance.now());
        return result.faces.length;
      },
    };
  }
  const landmarker = await sdk.PoseLandmarker.create(options);
  return {
    description: landmarker.info.device,
    frame: async (photo) => {
      const result = await landmarker.detectForVideo(frameOf(photo), performance.now());
      return result.poses.length;
    },
  };
};
