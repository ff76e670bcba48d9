/**
 * A film for the shipped packs of a task: frames of pixels go through the pipeline as a stream, 33 ms apart. The engine is WASM; the
 * pipeline's own clock stands still, so that how far a search gets in a frame does not depend on the machine.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import sharp, { type OverlayOptions } from 'sharp';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import { Session } from '../../src/engine/session';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../src/model/pack';
import { LandmarkPipeline, type PipelineNetworks } from '../../src/pipeline/landmark_pipeline';
import { finderModelOf, landmarkModelOf } from '../../src/pipeline/pack_models';
import { roiToCropAffine } from '../../src/pipeline/roi';
import { TASKS } from '../../src/pipeline/tasks';
import type { DetectedSubject } from '../../src/protocol/result';

export const FRAME = { width: 640, height: 480 } as const;
export const WALL = '#8a8f96';
const FRAME_MS = 33;
const OPTIONS = {
  maxSubjects: 1,
  minDetectionConfidence: null,
  minPresenceConfidence: null,
  minTrackingConfidence: null,
  smoothing: true,
};

export interface Film {
  /** How often the finder has run; 0 where the task has none. */
  readonly finderRuns: number;
  /** The next frame: RGBA bytes of FRAME's size. */
  show(data: Uint8Array): Promise<DetectedSubject[]>;
  close(): void;
}

/** With the task's finder where its pack is shipped, as in the built package. */
export async function openFilm(task: keyof typeof TASKS): Promise<Film> {
  const landmarks = await openSession(task);
  const finder = existsSync(packFile(TASKS[task].finder))
    ? await openSession(TASKS[task].finder)
    : null;
  const models = {
    landmarks: landmarkModelOf(landmarks.model),
    finder: finder && finderModelOf(finder.model),
  };
  const pipeline = new LandmarkPipeline(models, TASKS[task], () => 0);
  let timestampMs = 0;
  let finderRuns = 0;
  return {
    get finderRuns() {
      return finderRuns;
    },
    show(data) {
      const networks: PipelineNetworks = {
        landmarks: (region, isMirrored) => {
          const crop = roiToCropAffine(region, FRAME, models.landmarks.cropSize, isMirrored);
          return landmarks.runSums({ kind: 'frame', data, ...FRAME, ...crop });
        },
        finder: (region) => {
          if (finder === null || models.finder === null) throw new Error('there is no finder');
          finderRuns += 1;
          const crop = roiToCropAffine(region, FRAME, models.finder.cropSize);
          return finder.run({ kind: 'frame', data, ...FRAME, ...crop });
        },
      };
      timestampMs += FRAME_MS;
      return pipeline.detectInStream(1, FRAME, timestampMs, networks, OPTIONS);
    },
    close() {
      landmarks.close();
      finder?.close();
    },
  };
}

/** Pixels of a wall with something in front of it. */
export async function drawFrame(layers: OverlayOptions[]): Promise<Uint8Array> {
  const wall = sharp({ create: { ...FRAME, channels: 4, background: WALL } });
  return new Uint8Array(await wall.composite(layers).ensureAlpha().raw().toBuffer());
}

function packFile(name: string): string {
  return `models/${name}.bitmarks`;
}

/** Of a shipped pack, on WASM. */
export async function openSession(name: string): Promise<Session> {
  return Session.create(parsePack(await readFile(packFile(name))), {
    backend: 'wasm',
    engine: { wasmUrls: WASM_FILE_URLS },
    selfTest: false,
    loadFactory: () => Promise.resolve((options) => createWasmBackendWith(loadModuleFile, options)),
  });
}
