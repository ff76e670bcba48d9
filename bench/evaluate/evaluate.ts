/**
 * Measures a pack on a labelled set with the shipping code: pack reader, session, regions, codec. What `detect` does after
 * it has found a subject is done here from the row's box. Prints nothing.
 */
import { readFile } from 'node:fs/promises';
import type { BackendFactory } from '../../src/engine/backend';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import type { FactoryLoader } from '../../src/engine/registry';
import { Session, type SessionState } from '../../src/engine/session';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../src/model/pack';
import { locateLandmarks, type Located } from '../../src/pipeline/locate';
import { landmarkModelOf } from '../../src/pipeline/pack_models';
import { roiFromBox, roiToCropAffine } from '../../src/pipeline/roi';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import { readDataset, readFrame, reasonOf, type Frame, type Row, type Skipped } from './dataset';
import { figuresOf, normalizedError, type Figures } from './metrics';

export type NodeBackend = 'wasm' | 'reference';

export interface EvaluateOptions {
  readonly pack: string;
  readonly data: string;
  readonly backend: NodeBackend;
  /** Regions read per image: the box, then regions of the landmarks found. */
  readonly passes: number;
  readonly onProgress: (done: number, total: number) => void;
}

export interface Prediction {
  readonly file: string;
  /** Normalized error; 0.03 is 3 %. */
  readonly error: number;
  /** Mean landmark score, 0..1. */
  readonly score: number;
  /** [x, y] in source pixels, the center of the first pixel at (0.5, 0.5). */
  readonly points: readonly (readonly [number, number])[];
}

export interface Report {
  readonly model: { readonly name: string; readonly sha256: string; readonly sizeBytes: number };
  readonly engine: SessionState;
  readonly figures: Figures;
  /** Wall clock, decoding of the images included. */
  readonly imagesPerSecond: number;
  /** Crop and network of one pass, milliseconds. */
  readonly passMs: number;
  readonly predictions: readonly Prediction[];
  readonly skipped: readonly Skipped[];
}

/** Evaluates every readable row. Throws for a bad pack, a bad set, or a backend that cannot run. */
export async function evaluate(options: EvaluateOptions): Promise<Report> {
  const model = parsePack(await readFile(options.pack));
  const dataset = await readDataset(options.data, model.manifest.landmarks.length);
  const session = await Session.create(model, {
    backend: options.backend,
    engine: { wasmUrls: WASM_FILE_URLS },
    selfTest: true,
    loadFactory: loadNodeFactory,
  });
  const runner = new RowRunner(session, options.passes);
  const predictions: Prediction[] = [];
  const skipped: Skipped[] = [...dataset.skipped];
  const startMs = performance.now();
  for (const row of dataset.rows) {
    try {
      predictions.push(await runner.predict(row));
    } catch (error) {
      skipped.push({ name: row.name, reason: reasonOf(error) });
    }
    options.onProgress(
      predictions.length + skipped.length,
      dataset.rows.length + dataset.skipped.length,
    );
  }
  const elapsedMs = performance.now() - startMs;
  const engine = session.state;
  session.close();
  return {
    model: { name: model.manifest.name, sha256: model.sha256, sizeBytes: model.sizeBytes },
    engine,
    figures: figuresOf(predictions.map(({ error }) => error)),
    imagesPerSecond: (predictions.length * 1000) / elapsedMs,
    passMs: runner.inferenceMs / runner.inferences,
    predictions,
    skipped,
  };
}

const createNodeWasmBackend: BackendFactory = (options) =>
  createWasmBackendWith(loadModuleFile, options);

const loadNodeFactory: FactoryLoader = (name) =>
  Promise.resolve(name === 'wasm' ? createNodeWasmBackend : createReferenceBackend);

class RowRunner {
  inferences = 0;
  inferenceMs = 0;
  readonly #session: Session;
  readonly #passes: number;

  constructor(session: Session, passes: number) {
    this.#session = session;
    this.#passes = passes;
  }

  async predict(row: Row): Promise<Prediction> {
    const { points, score } = await this.#locate(row, await readFrame(row.path));
    return {
      file: row.name,
      error: normalizedError(points, row.points, row.normalizer),
      score,
      points: points.map(({ x, y }) => [x, y] as const),
    };
  }

  #locate(row: Row, frame: Frame): Promise<Located> {
    const model = landmarkModelOf(this.#session.model);
    const box = roiFromBox(row.box, frame, model.roi.scale);
    const infer: Parameters<typeof locateLandmarks>[3] = async (region) => {
      const startMs = performance.now();
      const { affine, taps } = roiToCropAffine(region, frame, model.cropSize);
      const heatmaps = await this.#session.run({ kind: 'frame', ...frame, affine, taps });
      this.inferences++;
      this.inferenceMs += performance.now() - startMs;
      return heatmaps;
    };
    return locateLandmarks(box, frame, model, infer, this.#passes - 1);
  }
}
