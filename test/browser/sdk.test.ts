/**
 * FaceLandmarker in a page, with its real worker: every kind of input gives the landmarks of the same scene on every backend.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FaceLandmarker, PoseLandmarker, type ImageSource } from '../../src/index';
import {
  blobOf,
  canvasOf,
  imageDataOf,
  imageOf,
  jpegWithOrientation,
  turnedLeft,
  videoOf,
} from '../helpers/browser_media';
import { codeOf } from '../helpers/codes';
import {
  DOTS_TOLERANCE,
  dotsError,
  dotsPack,
  drawDots,
  type DotsFace,
  type Pixels,
} from '../helpers/dots';
import { dotsFinderPack } from '../helpers/dots_finder';

const pack = dotsPack();
const finder = dotsFinderPack();
const face: DotsFace = { x: 120, y: 110, size: 110, angleRad: 0.2 };
const scene = drawDots(320, 240, [face]);

const stops: (() => void)[] = [];
afterEach(() => {
  stops.splice(0).forEach((stop) => {
    stop();
  });
});

async function playing(paint: () => Pixels = () => scene) {
  const result = await videoOf(paint);
  stops.push(result.stop);
  return result;
}

describe('inputs', () => {
  let landmarker: FaceLandmarker;
  beforeAll(async () => {
    landmarker = await FaceLandmarker.create({ model: pack, finder, delegate: 'wasm' });
  });
  afterAll(() => {
    landmarker.close();
  });

  const SOURCES: Record<string, () => Promise<ImageSource>> = {
    HTMLImageElement: () => imageOf(scene),
    HTMLVideoElement: async () => (await playing()).video,
    HTMLCanvasElement: () => Promise.resolve(canvasOf(scene)),
    OffscreenCanvas: () => {
      const canvas = new OffscreenCanvas(scene.width, scene.height);
      canvas.getContext('2d')?.putImageData(imageDataOf(scene), 0, 0);
      return Promise.resolve(canvas);
    },
    ImageBitmap: () => createImageBitmap(imageDataOf(scene)),
    ImageData: () => Promise.resolve(imageDataOf(scene)),
    VideoFrame: () => Promise.resolve(new VideoFrame(canvasOf(scene), { timestamp: 0 })),
    Blob: () => blobOf(scene),
    File: async () => new File([await blobOf(scene)], 'scene.png'),
  };

  it.each(Object.keys(SOURCES))('%s', async (kind) => {
    const source = await SOURCES[kind]?.();
    if (source === undefined) throw new Error('no source');
    // Twice: the caller's object must live on.
    for (let i = 0; i < 2; i += 1) {
      const result = await landmarker.detect(source);
      expect(result).toMatchObject({ width: 320, height: 240, backend: 'wasm' });
      expect(result.faces).toHaveLength(1);
      expect(dotsError(result.faces[0]?.landmarks, face, scene)).toBeLessThan(DOTS_TOLERANCE);
    }
    if (source instanceof VideoFrame) source.close();
  });

  it('gives equal landmarks for equal pixels, whatever holds them', async () => {
    const kinds = [
      'HTMLImageElement',
      'HTMLCanvasElement',
      'OffscreenCanvas',
      'ImageBitmap',
      'Blob',
    ];
    const landmarksOf = async (kind: string) => {
      const source = await SOURCES[kind]?.();
      if (source === undefined) throw new Error('no source');
      return (await landmarker.detect(source)).faces[0]?.landmarks;
    };
    const expected = await landmarksOf('ImageData');
    for (const kind of kinds) expect(await landmarksOf(kind), kind).toEqual(expected);
  });

  it('waits for an image that is still loading', async () => {
    const image = new Image();
    image.src = URL.createObjectURL(await blobOf(scene));
    expect((await landmarker.detect(image)).faces).toHaveLength(1);
  });

  it('respects the EXIF orientation of files and images', async () => {
    // Stored lying on its side: turned by 90 degrees clockwise it is the scene.
    const upright = drawDots(200, 260, [{ x: 90, y: 150, size: 90 }]);
    const lying = await jpegWithOrientation(turnedLeft(upright), 6);
    const image = new Image();
    image.src = URL.createObjectURL(lying);
    await image.decode();
    for (const source of [lying, image]) {
      const { faces, width, height } = await landmarker.detect(source);
      expect([width, height]).toEqual([200, 260]);
      expect(dotsError(faces[0]?.landmarks, { x: 90, y: 150, size: 90 }, upright)).toBeLessThan(
        DOTS_TOLERANCE,
      );
    }
  });

  it('takes the display size of a VideoFrame', async () => {
    const wide = new VideoFrame(canvasOf(scene), {
      timestamp: 0,
      displayWidth: 640,
      displayHeight: 240,
    });
    const { width, height } = await landmarker.detect(wide);
    wide.close();
    expect([width, height]).toEqual([640, 240]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a number', () => 5, /type Number is no image/],
    ['null', () => null, /type Null is no image/],
    ['an img without src', () => new Image(), /shows no image/],
    ['a video without frames', () => document.createElement('video'), /no frame yet/],
    [
      'an empty canvas',
      () => Object.assign(document.createElement('canvas'), { width: 0, height: 0 }),
      /empty/,
    ],
    ['text', () => new Blob(['hello'], { type: 'text/plain' }), /type 'text\/plain' is no image/],
    [
      'an ImageBitmap that is closed',
      async () => {
        const bitmap = await createImageBitmap(imageDataOf(scene));
        bitmap.close();
        return bitmap;
      },
      /closed|empty/,
    ],
    [
      'a VideoFrame that is closed',
      () => {
        const frame = new VideoFrame(canvasOf(scene), { timestamp: 0 });
        frame.close();
        return frame;
      },
      /closed/,
    ],
    [
      'an image that is too large',
      () => Object.assign(document.createElement('canvas'), { width: 8193, height: 1 }),
      /8193 x 1 pixels, expected 1 to 8192/,
    ],
  ])('%s is input/invalid', async (_, make, message) => {
    const error: unknown = await landmarker
      .detect((await make()) as ImageSource)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'input/invalid' });
    expect((error as Error).message).toMatch(message);
    expect((await landmarker.detect(imageDataOf(scene))).faces).toHaveLength(1);
  });
});

describe('backends', () => {
  it('give equal landmarks and say what they are', async () => {
    const outcomes = [];
    for (const delegate of ['reference', 'wasm', 'webgpu'] as const) {
      const landmarker = await FaceLandmarker.create({ model: pack, finder, delegate });
      const { faces, backend } = await landmarker.detect(imageDataOf(scene));
      expect(backend).toBe(delegate);
      expect(landmarker.info.backend).toBe(delegate);
      expect(landmarker.info.kernels).toHaveLength(2);
      expect(landmarker.info.refusals).toEqual([]);
      landmarker.close();
      outcomes.push(faces);
    }
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[2]).toEqual(outcomes[0]);
  });

  it('auto takes WebGPU where there is an adapter', async () => {
    const landmarker = await FaceLandmarker.create({ model: pack, finder });
    expect(landmarker.info).toMatchObject({
      backend: 'webgpu',
      bytes: { pack: pack.length + finder.length },
    });
    expect(landmarker.info.device).not.toBe('');
    landmarker.close();
  });
});

describe('create', () => {
  it('reports progress up to ready', async () => {
    const onProgress = vi.fn();
    const url = URL.createObjectURL(new Blob([pack]));
    const landmarker = await FaceLandmarker.create({
      model: url,
      finder,
      delegate: 'wasm',
      onProgress,
    });
    await vi.waitFor(() => {
      const phases = new Set(onProgress.mock.calls.map(([{ phase }]) => phase as string));
      expect([...phases]).toEqual(['download', 'compile', 'self-test', 'ready']);
    });
    expect(onProgress).toHaveBeenLastCalledWith({
      loadedBytes: pack.length + finder.length,
      totalBytes: pack.length + finder.length,
      phase: 'ready',
    });
    landmarker.close();
  });

  it('leaves the bytes of the caller alone', async () => {
    const bytes = pack.slice();
    const landmarker = await FaceLandmarker.create({ model: bytes, finder, delegate: 'wasm' });
    expect(bytes).toEqual(pack);
    landmarker.close();
  });

  it('is supported here', () => {
    expect(FaceLandmarker.isSupported()).toBe(true);
  });
});

it('a variant that the build has no pack of is an error with a code', async () => {
  await expect(PoseLandmarker.create({ variant: 'full' })).rejects.toMatchObject({
    code: 'options/invalid',
    message: expect.stringContaining("this build has no pack 'pose-full.bitmarks'") as string,
  });
});

describe('detectForVideo', () => {
  it('follows a moving face, keeps its id, and wants rising timestamps', async () => {
    const landmarker = await FaceLandmarker.create({ model: pack, finder, delegate: 'wasm' });
    for (let i = 0; i < 8; i += 1) {
      const moved = { ...face, x: face.x + 6 * i };
      const frame = drawDots(320, 240, [moved]);
      const { faces, timestampMs, timings } = await landmarker.detectForVideo(
        imageDataOf(frame),
        i * 33,
      );
      expect(timestampMs).toBe(i * 33);
      expect(faces.map(({ id }) => id)).toEqual([0]);
      expect(dotsError(faces[0]?.landmarks, moved, scene)).toBeLessThan(0.15);
      if (i > 0) expect(timings.inferences).toBe(1);
    }
    expect(await codeOf(landmarker.detectForVideo(imageDataOf(scene), 7 * 33))).toBe(
      'input/invalid',
    );
    expect(await codeOf(landmarker.detectForVideo(imageDataOf(scene), NaN))).toBe('input/invalid');
    landmarker.close();
  });
});

describe('track', () => {
  let landmarker: FaceLandmarker;
  beforeAll(async () => {
    landmarker = await FaceLandmarker.create({ model: pack, finder, delegate: 'wasm' });
  });
  afterAll(() => {
    landmarker.close();
  });

  it.each(['video', 'stream'] as const)('follows a face in a %s', async (kind) => {
    const source = (await playing())[kind];
    let count = 0;
    let lastMs = -Infinity;
    for await (const { faces, timings, timestampMs } of landmarker.track(source)) {
      expect(timestampMs).toBeGreaterThan(lastMs);
      lastMs = timestampMs;
      expect(dotsError(faces[0]?.landmarks, face, scene)).toBeLessThan(DOTS_TOLERANCE);
      if (count > 0) expect(timings.inferences).toBe(1);
      count += 1;
      if (count === 5) break;
    }
    expect(count).toBe(5);
  });

  it('gives the newest frame to a consumer that is slow', async () => {
    let painted = 0;
    const { video } = await playing(() => {
      painted += 1;
      return drawDots(320, 240, [{ ...face, x: 90 + painted * 3 }]);
    });
    const tracked = landmarker.track(video);
    await tracked.next();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const before = painted;
    const { value } = await tracked.next();
    await tracked.return();
    const shown = Math.round(((value?.faces[0]?.box.x ?? NaN) * 320 + face.size / 2 - 90) / 3);
    // Drawn, captured and shown takes a few frames; a queue would be ten behind.
    expect(before - shown).toBeLessThan(6);
  });

  it('ends with the tracks of a stream', async () => {
    const { stream } = await playing();
    const tracked = landmarker.track(stream);
    await tracked.next();
    const last = tracked.next();
    for (const track of stream.getVideoTracks()) {
      track.stop();
      // stop() by the page itself fires no event; the end of a device does.
      track.dispatchEvent(new Event('ended'));
    }
    await last;
    expect((await tracked.next()).done).toBe(true);
  });

  it('throws aborted when its signal fires, also while no frame comes', async () => {
    const { video } = await playing();
    const controller = new AbortController();
    const tracked = landmarker.track(video, { signal: controller.signal });
    await tracked.next();
    video.pause();
    const next = codeOf(tracked.next().then(() => tracked.next()));
    controller.abort();
    expect(await next).toBe('aborted');
    expect((await landmarker.detect(imageDataOf(scene))).faces).toHaveLength(1);
  });

  it('throws closed when the landmarker is closed', async () => {
    const own = await FaceLandmarker.create({ model: pack, finder, delegate: 'wasm' });
    const { video } = await playing();
    const tracked = own.track(video);
    await tracked.next();
    video.pause();
    const next = codeOf(tracked.next().then(() => tracked.next()));
    own.close();
    expect(await next).toBe('closed');
  });

  it('refuses what does not play', async () => {
    expect(await codeOf(landmarker.track({} as HTMLVideoElement).next())).toBe('input/invalid');
    expect(await codeOf(landmarker.track(new MediaStream()).next())).toBe('input/invalid');
  });
});
