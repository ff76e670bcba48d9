/**
 * Row: @vladmandic/human with nothing on but the face mesh, or MoveNet Lightning, on tfjs-wasm, one thread. Its detector of faces
 * rests while frames stay alike, which is how it follows; its networks run in every frame.
 */
import { importPackage, PACKAGES, type MakeRunner } from '../contestant';

/** The part of the package that runs here; its own types do not pass strict checking. */
interface HumanPackage {
  readonly default: new (config: object) => {
    readonly version: string;
    readonly tf: { env(): { set(flag: string, value: boolean): void } };
    load(): Promise<void>;
    detect(input: HTMLCanvasElement): Promise<{
      readonly face: readonly { readonly mesh: readonly unknown[] }[];
      readonly body: readonly { readonly keypoints: readonly unknown[] }[];
    }>;
  };
}

export const makeRunner: MakeRunner = async ({ task }, photos) => {
  const { default: Human } = (await importPackage(
    '@vladmandic/human/dist/human.esm.js',
  )) as HumanPackage;
  const off = { enabled: false };
  const human = new Human({
    ...{ backend: 'wasm', debug: false, warmup: 'none', cacheModels: false },
    wasmPath: `${PACKAGES}/@tensorflow/tfjs-backend-wasm/wasm-out/`,
    modelBasePath: `${PACKAGES}/@vladmandic/human/models/`,
    ...{ filter: off, gesture: off, hand: off, object: off, segmentation: off },
    face: {
      ...{ enabled: task === 'face', mesh: { enabled: true }, detector: { maxDetected: 1 } },
      ...{ iris: off, emotion: off, description: off, antispoof: off, liveness: off },
    },
    // 0: else it would give the last result again.
    body: { enabled: task === 'pose', modelPath: 'movenet-lightning.json', skipFrames: 0 },
  });
  human.tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await human.load();
  return {
    description: `@vladmandic/human ${human.version}, tfjs-wasm, one thread`,
    frame: async (photo) => {
      const canvas = photos[photo];
      if (canvas === undefined) throw new Error(`no photo ${photo}`);
      const { face, body } = await human.detect(canvas);
      return task === 'face'
        ? face.filter(({ mesh }) => mesh.length > 0).length
        : body.filter(({ keypoints }) => keypoints.length > 0).length;
    },
  };
};
