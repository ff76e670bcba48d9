import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CONV_VARIANTS } from '../../src/engine/webgpu/kernels/conv2d_candidates';
import { TILE_NAMES } from '../../src/engine/webgpu/kernels/tile';
import { WEBGPU_TILES, WEBGPU_VARIANTS } from '../../src/protocol/service';
import { FACE_OPTIONS, POSE_OPTIONS, resolveOptions, resolveSignal } from '../../src/api/options';

const warnings: string[] = [];
beforeEach(() => {
  vi.spyOn(console, 'warn').mockImplementation((text: string) => warnings.push(text));
});
afterEach(() => {
  warnings.length = 0;
  vi.restoreAllMocks();
});

const DEFAULTS = {
  model: null,
  variant: 'standard',
  refinements: null,
  finder: undefined,
  backend: 'auto',
  detect: {
    maxSubjects: 1,
    minDetectionConfidence: null,
    minPresenceConfidence: null,
    minTrackingConfidence: null,
    smoothing: true,
  },
  selfTest: true,
  threads: null,
  webgpuKernels: [],
  cache: true,
  assetBase: null,
  workerUrl: null,
  onProgress: null,
  signal: null,
};

const bytes = new Uint8Array(4);
const onProgress = (): void => undefined;
const { signal } = new AbortController();

describe('resolveOptions', () => {
  it('has defaults for everything', () => {
    expect(resolveOptions(FACE_OPTIONS)).toEqual(DEFAULTS);
    expect(resolveOptions(FACE_OPTIONS, {})).toEqual(DEFAULTS);
    expect(resolveOptions(FACE_OPTIONS, { numFaces: undefined, baseOptions: undefined })).toEqual(
      DEFAULTS,
    );
  });

  // Every option once: what is given, and what it changes.
  it.each<[object, object]>([
    [{ model: 'a.bitmarks' }, { model: 'a.bitmarks' }],
    [{ model: bytes }, { model: bytes }],
    [{ variant: 'full' }, { variant: 'full' }],
    [{ refinements: 0 }, { refinements: 0 }],
    [{ finder: 'f.bitmarks' }, { finder: 'f.bitmarks' }],
    [{ finder: null }, { finder: null }],
    [{ delegate: 'webgpu' }, { backend: 'webgpu' }],
    [{ delegate: 'wasm' }, { backend: 'wasm' }],
    [{ delegate: 'reference' }, { backend: 'reference' }],
    [{ delegate: 'GPU' }, { backend: 'auto' }],
    [{ delegate: 'CPU' }, { backend: 'wasm' }],
    [{ baseOptions: { delegate: 'CPU' } }, { backend: 'wasm' }],
    [{ delegate: 'webgpu', baseOptions: { delegate: 'CPU' } }, { backend: 'webgpu' }],
    [{ baseOptions: { modelAssetPath: 'b.bitmarks' } }, { model: 'b.bitmarks' }],
    [{ baseOptions: { modelAssetBuffer: bytes } }, { model: bytes }],
    [{ runningMode: 'VIDEO' }, {}],
    [{ numFaces: 3 }, { detect: { ...DEFAULTS.detect, maxSubjects: 3 } }],
    [
      { minFaceDetectionConfidence: 0.4 },
      { detect: { ...DEFAULTS.detect, minDetectionConfidence: 0.4 } },
    ],
    [
      { minFacePresenceConfidence: 0 },
      { detect: { ...DEFAULTS.detect, minPresenceConfidence: 0 } },
    ],
    [{ minTrackingConfidence: 1 }, { detect: { ...DEFAULTS.detect, minTrackingConfidence: 1 } }],
    [{ smoothing: false }, { detect: { ...DEFAULTS.detect, smoothing: false } }],
    [{ selfTest: false }, { selfTest: false }],
    [{ threads: 2 }, { threads: 2 }],
    [{ webgpuKernels: ['bitplanes', 'dot4_8x4'] }, { webgpuKernels: ['bitplanes', 'dot4_8x4'] }],
    [{ cache: false }, { cache: false }],
    [{ assetBase: new URL('https://cdn.test/x') }, { assetBase: 'https://cdn.test/x' }],
    [{ workerUrl: '/w.js' }, { workerUrl: '/w.js' }],
    [{ onProgress }, { onProgress }],
    [{ signal }, { signal }],
  ])('%o', (given, changed) => {
    expect(resolveOptions(FACE_OPTIONS, given)).toEqual({ ...DEFAULTS, ...changed });
    expect(warnings).toEqual([]);
  });

  it.each<[unknown, string]>([
    ['face', "options is 'face', expected an object"],
    [null, 'options is null, expected an object'],
    [{ baseOptions: 3 }, 'baseOptions is 3, expected an object'],
    [{ numFaces: 0 }, 'numFaces is 0, expected a whole number from 1 to 16'],
    [{ numFaces: 1.5 }, 'numFaces is 1.5, expected a whole number from 1 to 16'],
    [{ numFaces: '2' }, "numFaces is '2', expected a whole number from 1 to 16"],
    [{ threads: 17 }, 'threads is 17, expected a whole number from 1 to 16'],
    [{ webgpuKernels: 'dot4' }, "webgpuKernels is 'dot4', expected an array of names of kernels"],
    [
      { webgpuKernels: ['dot4', 'dot4_3x3'] },
      "an entry of webgpuKernels is 'dot4_3x3', expected dot4, shift, bitplanes, subgroup, storage, or one of them with a tile: " +
        '_4x8, _8x4, _4x4, _2x4, _1x4',
    ],
    [{ minTrackingConfidence: 50 }, 'minTrackingConfidence is 50, expected a number from 0 to 1'],
    [
      { minFaceDetectionConfidence: NaN },
      'minFaceDetectionConfidence is NaN, expected a number from 0 to 1',
    ],
    [{ smoothing: 'yes' }, "smoothing is 'yes', expected true or false"],
    [
      { delegate: 'gpu' },
      "delegate is 'gpu', expected one of 'auto', 'webgpu', 'wasm', 'reference', 'GPU', 'CPU'",
    ],
    [
      { baseOptions: { delegate: 1 } },
      "baseOptions.delegate is 1, expected one of 'auto', 'webgpu', 'wasm', 'reference', 'GPU', 'CPU'",
    ],
    [{ runningMode: 'LIVE' }, "runningMode is 'LIVE', expected one of 'IMAGE', 'VIDEO'"],
    [
      { model: '' },
      "model is '', expected a URL, an ArrayBuffer or a Uint8Array of a .bitmarks pack",
    ],
    [{ variant: 'huge' }, "variant is 'huge', expected one of 'standard', 'full'"],
    [
      { variant: 'full', model: 'a' },
      'both a model and a variant are given; a variant is one of the packs beside the script, give one of the two',
    ],
    [{ refinements: 2 }, 'refinements is 2, expected a whole number from 0 to 1'],
    [{ onProgress: {} }, 'onProgress is an object, expected a function'],
    [{ signal: [] }, 'signal is an array, expected an AbortSignal'],
    [{ assetBase: null }, 'assetBase is null, expected a URL'],
    [
      { model: 'a', baseOptions: { modelAssetPath: 'b' } },
      'more than one model is given; give one of model, baseOptions.modelAssetPath and baseOptions.modelAssetBuffer',
    ],
  ])('%o is refused', (given, message) => {
    expect(() => resolveOptions(FACE_OPTIONS, given)).toThrow(
      expect.objectContaining({ code: 'options/invalid', message }),
    );
  });

  it.each<[object, string]>([
    [{ numFace: 2 }, 'bitmarks: there is no option numFace; did you mean numFaces?'],
    [
      { minDetectionConfidence: 0.5 },
      'bitmarks: there is no option minDetectionConfidence; did you mean minFaceDetectionConfidence?',
    ],
    [{ smooth: true }, 'bitmarks: there is no option smooth; did you mean smoothing?'],
    [
      { baseOptions: { modelAssetUrl: 'x' } },
      'bitmarks: there is no option baseOptions.modelAssetUrl; did you mean baseOptions.modelAssetPath?',
    ],
  ])('%o is warned of and changes nothing', (given, warning) => {
    expect(resolveOptions(FACE_OPTIONS, given)).toEqual(DEFAULTS);
    expect(warnings).toEqual([warning]);
  });

  it('knows those of a task by its names', () => {
    const given = { numPoses: 4, minPoseDetectionConfidence: 0.2, minPosePresenceConfidence: 0.3 };
    expect(resolveOptions(POSE_OPTIONS, given).detect).toEqual({
      ...DEFAULTS.detect,
      ...{ maxSubjects: 4, minDetectionConfidence: 0.2, minPresenceConfidence: 0.3 },
    });
    expect(warnings).toEqual([]);
    expect(resolveOptions(POSE_OPTIONS, { numFaces: 2 })).toEqual(DEFAULTS);
    expect(warnings).toHaveLength(1);
  });

  it('lists the options when none is near', () => {
    resolveOptions(FACE_OPTIONS, { zzz: 1 });
    expect(warnings[0]).toMatch(
      /no option zzz; known are model, variant, refinements, finder, delegate, /,
    );
  });
});

describe('resolveSignal', () => {
  it('reads the signal of a call', () => {
    expect(resolveSignal()).toBeNull();
    expect(resolveSignal({ signal })).toBe(signal);
    expect(() => resolveSignal({ signal: 1 })).toThrow('signal is 1, expected an AbortSignal');
  });
});

it('the names of WebGPU kernels are those that the engine has', () => {
  expect(WEBGPU_VARIANTS).toEqual(CONV_VARIANTS);
  expect(WEBGPU_TILES).toEqual(TILE_NAMES);
});
