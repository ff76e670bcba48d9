/**
 * The import zones themselves: what the lint rule lets through and what it stops.
 */
import { expect, test } from 'vitest';
import { zoneViolation } from '../../scripts/zones.js';

test.each([
  ['src/api/face_landmarker.ts', '../protocol/result'],
  ['src/api/worker_link.ts', 'comlink'],
  ['src/api/assets.ts', '../../workers/landmark.worker?worker&url'],
  ['src/api/assets.ts', '../engine/wasm/build/relaxed.wasm?url&no-inline'],
  ['src/model/pack.ts', '@noble/hashes/sha2.js'],
  ['src/pipeline/roi.ts', '../engine/backend'],
  ['src/engine/wasm/index.ts', './loader'],
  ['src/engine/wasm/index.ts', '../planner'],
  ['src/engine/registry.ts', './webgpu/index'],
  ['src/worker/service.ts', '../engine/session'],
  ['demo/main.ts', '../src/index'],
  ['test/unit/some.test.ts', '../../src/engine/planner'],
])('%s may import %s', (importer, specifier) => {
  expect(zoneViolation(importer, specifier)).toBeNull();
});

test.each([
  ['src/api/face_landmarker.ts', '../engine/session'],
  ['src/api/face_landmarker.ts', '../worker/service'],
  ['src/api/face_landmarker.ts', '../worker/service?worker'],
  ['src/api/face_landmarker.ts', '@tensorflow/tfjs-core'],
  ['src/model/pack.ts', '../engine/backend'],
  ['src/errors.ts', './model/types'],
  ['src/pipeline/roi.ts', '../engine/webgpu/device'],
  ['src/engine/planner.ts', '../pipeline/roi'],
  ['src/engine/wasm/index.ts', '../webgpu/device'],
  ['src/engine/webgpu/device.ts', '@tensorflow/tfjs-backend-webgpu'],
  ['src/protocol/service.ts', '../worker/service'],
  ['src/index.ts', './engine/session'],
  ['demo/main.ts', '../src/api/face_landmarker'],
])('%s may not import %s', (importer, specifier) => {
  expect(zoneViolation(importer, specifier)).toContain('may not import');
});
