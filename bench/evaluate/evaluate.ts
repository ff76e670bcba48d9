/**
 * Measures a pack on a labelled set with the shipping code: pack reader, session, regions, codec. What `detect` does after
 * it has found a subject is done here from the row's box, and what a finder sees in the whole frame. Prints nothing.
 */
import { readFile } from 'node:fs/promises';
import type { BackendFactory } from '../../src/engine/backend';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import type { FactoryLoader } from '../../src/engine/registry';
import { Session, type SessionState } from '../../src/engine/session';
import { createWasmBackendWith } from '../../src/engine/wasm/wasm_backend';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { locateLandmarks, type Located } from '../../src/pipeline/locate';
import { landmarkModelOf } from '../../src/pipeline/pack_models';
import { roiFromBox, roiToCropAffine } from '../../src/pipeline/roi';
import { loadModuleFile, WASM_FILE_URLS } from '../../scripts/wasm_files';
import { mirroredPoints, underCondition, type Condition } from './conditions';
import {
  readDataset,
  readFinderDataset,
  readFrame,
  reasonOf,
  type Dataset,
  type FinderRow,
  type Frame,
  type Row,
  type Skipped,
} from './dataset';
import {
  correctJoints,
  countFinds,
  figuresOf,
  judgedLandmarks,
  normalizedError,
  reliabilityOf,
  type ErrorFigures,
  type Judged,
  type Reliability,
} from './metrics';
import {
  finderAlone,
  finderAndLandmarks,
  type FindSubjects,
  type InferHeatmaps,
  type InferOn,
} from './scene_runner';

export type NodeBackend = 'wasm' | 'reference';

export interface EvaluateOptions {
  readonly pack: string;
  readonly data: string;
  readonly backend: NodeBackend;
  /** Regions read per image: the box, then regions of the landmarks found. */
  readonly passes: number;
  /** What each image goes through first; 'none' for finders. */
  readonly condition: Condition;
  /** Pack that reads what a finder finds, as `detect` goes on; null: the finder's finds count. */
  readonly landmarks: string | null;
  /** Least score of a finder's finds; null: the pack's own. */
  readonly detection: number | null;
  readonly onProgress: (done: number, total: number) => void;
}

/** What came out for one image; coordinates in source pixels, the center of the first pixel at (0.5, 0.5). */
export interface Prediction {
  readonly file: string;
  /** Normalized error, 0.03 is 3 %; absent without a normalizer. */
  readonly error?: number;
  /** Under the condition 'mirrored': mean distance of its landmarks from those of the image as it is, normalized. */
  readonly disagreement?: number;
  readonly yaw?: number;
  readonly mouthOpen?: number;
  readonly skinTone?: number;
  /** Joints that are right and that are known; absent for models without a torso. */
  readonly pck?: { readonly correct: number; readonly joints: number };
  /** Of each known landmark; absent where nothing tells how near is right. */
  readonly judged?: readonly Judged[];
  /** Mean landmark score, or that of the best find, 0..1. */
  readonly score: number;
  /** [x, y] of the landmarks. */
  readonly points?: readonly (readonly [number, number])[];
  /** Of a finder: [x, y, size, score] of what it found, best first; how many subjects there are, and how many were found. */
  readonly finds?: readonly (readonly [number, number, number, number])[];
  readonly subjects?: number;
  readonly hits?: number;
  /** Finds that are no subject; whether the image has none at all. */
  readonly alarms?: number;
  readonly isEmpty?: boolean;
}

/** Those that do not apply are null. */
export interface Figures {
  readonly errors: ErrorFigures | null;
  /** Mean over the images, percent. */
  readonly disagreement: number | null;
  /** PCK@0.2 over all known joints, percent. */
  readonly pck: number | null;
  /** Scores of the landmarks against what came out. */
  readonly reliability: Reliability | null;
  /** Share of the subjects that were found, percent. */
  readonly recall: number | null;
  /** Finds that are no subject, per image. */
  readonly falseAlarms: number | null;
  /** The same in images without subjects, for 50 of them. */
  readonly alarmsInFifty: number | null;
}

export interface Report {
  readonly model: { readonly name: string; readonly sha256: string; readonly sizeBytes: number };
  readonly condition: Condition;
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
  const isFinder = model.manifest.codec.type === 'centers';
  if (isFinder && options.condition !== 'none') {
    throw new Error(
      `the condition ${options.condition} is for landmark packs, and the pack is a finder`,
    );
  }
  if (!isFinder && (options.landmarks !== null || options.detection !== null)) {
    throw new Error('a landmark pack and a detection score go with a finder, and the pack is none');
  }
  const session = await openSession(model, options.backend);
  const reader =
    options.landmarks === null
      ? null
      : await openSession(parsePack(await readFile(options.landmarks)), options.backend);
  const runner = new RowRunner(session, options.passes, options.condition);
  const finder = isFinder ? runner.finder(reader, options.detection) : null;
  const startMs = performance.now();
  const { predictions, skipped } = finder
    ? await predictAll(
        await readFinderDataset(options.data),
        (row) => findIn(row, finder),
        options.onProgress,
      )
    : await predictAll(
        await readDataset(options.data, model.manifest.landmarks),
        (row) => runner.predict(row),
        options.onProgress,
      );
  const elapsedMs = performance.now() - startMs;
  const engine = session.state;
  session.close();
  reader?.close();
  return {
    model: { name: model.manifest.name, sha256: model.sha256, sizeBytes: model.sizeBytes },
    condition: options.condition,
    engine,
    figures: summarize(predictions),
    imagesPerSecond: (predictions.length * 1000) / elapsedMs,
    passMs: runner.inferenceMs / runner.inferences,
    predictions,
    skipped,
  };
}

async function predictAll<R extends { readonly name: string }>(
  dataset: Dataset<R>,
  predict: (row: R) => Promise<Prediction>,
  onProgress: EvaluateOptions['onProgress'],
): Promise<{ predictions: Prediction[]; skipped: Skipped[] }> {
  const predictions: Prediction[] = [];
  const skipped: Skipped[] = [...dataset.skipped];
  for (const row of dataset.rows) {
    try {
      predictions.push(await predict(row));
    } catch (error) {
      skipped.push({ name: row.name, reason: reasonOf(error) });
    }
    onProgress(predictions.length + skipped.length, dataset.rows.length + dataset.skipped.length);
  }
  return { predictions, skipped };
}

function summarize(predictions: readonly Prediction[]): Figures {
  const sum = (value: (prediction: Prediction) => number | undefined): number =>
    predictions.reduce((total, prediction) => total + (value(prediction) ?? 0), 0);
  const errors = predictions.flatMap(({ error }) => error ?? []);
  const disagreements = predictions.flatMap(({ disagreement }) => disagreement ?? []);
  const joints = sum(({ pck }) => pck?.joints);
  const judged = predictions.flatMap((prediction) => prediction.judged ?? []);
  const isFinder = predictions.some(({ finds }) => finds !== undefined);
  const hits = sum((prediction) => prediction.hits);
  const empty = predictions.flatMap(({ isEmpty, alarms = 0 }) => (isEmpty === true ? alarms : []));
  return {
    errors: errors.length > 0 ? figuresOf(errors) : null,
    disagreement:
      disagreements.length > 0
        ? (100 * disagreements.reduce((total, value) => total + value, 0)) / disagreements.length
        : null,
    pck: joints > 0 ? (100 * sum(({ pck }) => pck?.correct)) / joints : null,
    reliability: judged.length > 0 ? reliabilityOf(judged) : null,
    recall: isFinder ? (100 * hits) / sum(({ subjects }) => subjects) : null,
    falseAlarms: isFinder ? sum(({ alarms }) => alarms) / predictions.length : null,
    alarmsInFifty:
      empty.length > 0
        ? (50 * empty.reduce((all, alarms) => all + alarms, 0)) / empty.length
        : null,
  };
}

const createNodeWasmBackend: BackendFactory = (options) =>
  createWasmBackendWith(loadModuleFile, options);

const loadNodeFactory: FactoryLoader = (name) =>
  Promise.resolve(name === 'wasm' ? createNodeWasmBackend : createReferenceBackend);

function openSession(model: Model, backend: NodeBackend): Promise<Session> {
  return Session.create(model, {
    backend,
    engine: { wasmUrls: WASM_FILE_URLS },
    selfTest: true,
    loadFactory: loadNodeFactory,
  });
}

async function findIn(row: FinderRow, find: FindSubjects): Promise<Prediction> {
  const { boxes, ignored } = row;
  const subjects = [...boxes, ...ignored];
  const finds = await find(await readFrame(row.path), Math.max(1, subjects.length));
  return {
    file: row.name,
    score: finds[0]?.score ?? 0,
    finds: finds.map(({ x, y, size, score }) => [x, y, size, score] as const),
    subjects: boxes.length,
    ...countFinds(finds, boxes, ignored),
    isEmpty: subjects.length === 0,
  };
}

class RowRunner {
  inferences = 0;
  inferenceMs = 0;
  readonly #session: Session;
  readonly #passes: number;
  readonly #condition: Condition;

  constructor(session: Session, passes: number, condition: Condition) {
    this.#session = session;
    this.#passes = passes;
    this.#condition = condition;
  }

  async predict(asItIs: Row): Promise<Prediction> {
    const original = await readFrame(asItIs.path);
    const { mirror } = this.#session.model.manifest;
    const { row, frame } = await underCondition(this.#condition, asItIs, original, mirror);
    const located = await this.#locate(row, frame);
    const { normalizer, torso, yaw, mouthOpen, skinTone } = row;
    const plain =
      this.#condition === 'mirrored' && normalizer !== null
        ? await this.#locate(asItIs, original)
        : null;
    return {
      file: row.name,
      ...(plain === null || normalizer === null
        ? {}
        : {
            disagreement: normalizedError(
              located.points,
              mirroredPoints(plain.points, original.width, mirror),
              normalizer,
            ),
          }),
      ...(yaw === null ? {} : { yaw }),
      ...(mouthOpen === null ? {} : { mouthOpen }),
      ...(skinTone === null ? {} : { skinTone }),
      ...(normalizer === null
        ? {}
        : { error: normalizedError(located.points, row.points, normalizer) }),
      ...(torso === null ? {} : { pck: correctJoints(located.points, row.points, torso) }),
      ...(torso === null && normalizer === null
        ? {}
        : { judged: judgedLandmarks(located.points, row.points, { torso, normalizer }) }),
      score: located.score,
      points: located.points.map(({ x, y }) => [x, y] as const),
    };
  }

  #locate(row: Row, frame: Frame): Promise<Located> {
    const model = landmarkModelOf(this.#session.model);
    const box = roiFromBox(row.box, frame, model.roi.scale);
    const infer = this.#inferOn(frame, model.cropSize);
    return locateLandmarks(box, frame, model, infer, this.#passes - 1);
  }

  /** How subjects are found, with the landmark network `reader` or without. */
  finder(reader: Session | null, minScore: number | null): FindSubjects {
    const inferOn: InferOn = (session, frame, cropSize) => this.#inferOn(frame, cropSize, session);
    return reader === null
      ? finderAlone(this.#session, minScore, inferOn)
      : finderAndLandmarks(this.#session, reader, minScore, inferOn);
  }

  #inferOn(frame: Frame, cropSize: number, session = this.#session): InferHeatmaps {
    return async (region, isMirrored = false) => {
      const startMs = performance.now();
      const crop = roiToCropAffine(region, frame, cropSize, isMirrored);
      const heatmaps = await session.run({ kind: 'frame', ...frame, ...crop });
      this.inferences++;
      this.inferenceMs += performance.now() - startMs;
      return heatmaps;
    };
  }
}
