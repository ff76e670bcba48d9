/**
 * One loaded landmarker: its networks, its pipeline, and what is told of them. Opens and closes sessions; knows no calls and
 * no frames.
 */
import type { Session } from '../engine/session';
import { BitmarksError } from '../errors';
import type { Model } from '../model/types';
import { LandmarkPipeline } from '../pipeline/landmark_pipeline';
import { visibleScore } from '../pipeline/locate';
import { checkTask, finderModelOf, landmarkModelOf } from '../pipeline/pack_models';
import { TASKS } from '../pipeline/tasks';
import type { LoadRequest, SessionInfo } from '../protocol/service';

/** The part of a session that the service uses. */
export type EngineSession = Pick<Session, 'state' | 'run' | 'runSums' | 'stage' | 'close'>;

/** Takes the first backend that runs the model, after its self-test if `request.selfTest`. */
export type OpenSession = (
  model: Model,
  request: LoadRequest,
  onPhase: (phase: 'compile' | 'self-test') => void,
  /** As of SessionOptions; absent: the last. */
  pass?: number,
) => Promise<EngineSession>;

/** A network ready to run. */
export interface Network {
  readonly model: Model;
  readonly session: EngineSession;
  /** Side of its square input in pixels. */
  readonly cropSize: number;
  /** Refinement passes that run. */
  readonly refinements: number;
}

export interface Landmarker {
  readonly landmarks: Network;
  readonly finder: Network | null;
  readonly pipeline: LandmarkPipeline;
  readonly timings: SessionInfo['timings'];
}

/** Parsed packs. */
export interface Models {
  readonly landmarks: Model;
  readonly finder: Model | null;
}

/**
 * Opens a session for each pack. Throws 'options/invalid' for refinements that the pack does not have, 'pack/malformed' or 'graph/malformed' for packs that do not fit the task, what
 * opening a session throws, and the signal's reason; then nothing stays open.
 */
export async function openNetworks(
  { landmarks, finder }: Models,
  request: LoadRequest,
  open: OpenSession,
  signal: AbortSignal,
  onPhase: (phase: 'compile' | 'self-test') => void,
  nowMs: () => number,
): Promise<Omit<Landmarker, 'timings'>> {
  const task = TASKS[request.task];
  checkTask(landmarks, request.task);
  if (finder !== null) checkTask(finder, task.finder);
  const models = {
    landmarks: landmarkModelOf(landmarks),
    finder: finder && finderModelOf(finder),
  };
  const refinements = refinementsOf(landmarks, request.refinements);
  const session = await open(landmarks, request, onPhase, refinements);
  try {
    signal.throwIfAborted();
    const finderSession = finder && (await open(finder, request, onPhase));
    return {
      landmarks: { model: landmarks, session, cropSize: models.landmarks.cropSize, refinements },
      finder:
        finder && finderSession && models.finder
          ? {
              model: finder,
              session: finderSession,
              cropSize: models.finder.cropSize,
              refinements: finder.graph.outputs.length - 1,
            }
          : null,
      pipeline: new LandmarkPipeline(models, task, nowMs),
    };
  } catch (error) {
    session.close();
    throw error;
  }
}

function refinementsOf({ manifest, graph }: Model, asked: number | null): number {
  const most = graph.outputs.length - 1;
  if (asked === null || asked <= most) return asked ?? most;
  throw new BitmarksError(
    'options/invalid',
    `refinements is ${asked}, but the pack '${manifest.name}' has ${most === 0 ? 'none' : String(most)}; ask for at most ${most}`,
  );
}

/** Frees the networks. Idempotent. */
export function closeNetworks({
  landmarks,
  finder,
}: Pick<Landmarker, 'landmarks' | 'finder'>): void {
  landmarks.session.close();
  finder?.session.close();
}

export function infoOf({ landmarks, finder, timings }: Landmarker): SessionInfo {
  const { backend, kernels, refusals, device, multiplyAdds } = landmarks.session.state;
  const { name, landmarks: names, mirror, connections, roi } = landmarks.model.manifest;
  const networks = finder === null ? [landmarks] : [landmarks, finder];
  const sum = (bytes: (network: Network) => number): number =>
    networks.reduce((total, network) => total + bytes(network), 0);
  const more = (finder?.session.state.refusals ?? []).filter(
    (refusal) => !refusals.some((known) => known.backend === refusal.backend),
  );
  return {
    backend,
    kernels,
    refusals: [...refusals, ...more],
    device,
    bytes: {
      pack: sum(({ model }) => model.sizeBytes),
      weights: sum(({ session }) => session.state.bytes.weights),
      activations: sum(({ session }) => session.state.bytes.activations),
    },
    model: {
      name,
      sha256: landmarks.model.sha256,
      landmarks: names,
      mirror,
      connections,
      minLandmarkScore: visibleScore(roi),
      refinements: landmarks.refinements,
      mirrored: roi.mirrored ?? false,
      multiplyAdds,
    },
    finder: finder && {
      name: finder.model.manifest.name,
      sha256: finder.model.sha256,
      backend: finder.session.state.backend,
      kernels: finder.session.state.kernels,
      multiplyAdds: finder.session.state.multiplyAdds,
    },
    timings,
  };
}
