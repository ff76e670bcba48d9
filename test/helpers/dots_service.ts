/**
 * A service with the network of dots, real engine and fake frames, whose resources are counted; for tests in Node.
 */
import type { EngineFrame, EngineInput } from '../../src/engine/backend';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { Session } from '../../src/engine/session';
import { parsePack } from '../../src/model/pack';
import type { DetectRequest, FramePayload, LoadProgress } from '../../src/protocol/service';
import { createLandmarkService, type ServiceDeps } from '../../src/worker/landmark_service';
import type { EngineSession } from '../../src/worker/landmarker';
import { dotsPack, drawDots, type DotsFace } from './dots';
import { dotsFinderPack } from './dots_finder';

export const pack = dotsPack();
export const finderPack = dotsFinderPack();
export const face: DotsFace = { x: 150, y: 110, size: 90, angleRad: 0.2 };
export const scene = drawDots(320, 240, [face]);

export const ID = 1;
export const LOAD = {
  landmarkerId: ID,
  task: 'face',
  backend: 'reference',
  wasmUrls: { simd128: 'unused', relaxed: 'unused' },
  webgpuUrl: 'unused',
  selfTest: true,
  cache: true,
  refinements: null,
  workerMs: 3,
} as const;

export const OPTIONS = {
  maxSubjects: 1,
  minDetectionConfidence: null,
  minPresenceConfidence: null,
  minTrackingConfidence: null,
  smoothing: false,
} as const;

export function openReference(
  ...[model, request, onPhase, pass]: Parameters<ServiceDeps['openSession']>
) {
  return Session.create(model, {
    backend: request.backend,
    engine: { wasmUrls: request.wasmUrls },
    selfTest: request.selfTest,
    onPhase,
    ...(pass === undefined ? {} : { pass }),
    loadFactory: () => Promise.resolve(createReferenceBackend),
  });
}

/** Copies: the service owns what it is sent. */
export function packsOf() {
  return {
    landmarks: { bytes: pack.slice().buffer },
    finder: { bytes: finderPack.slice().buffer },
  };
}

/** A service with counted resources; `deps` replaces parts. */
export function setUp(deps: Partial<ServiceDeps> = {}) {
  const counts = { openSessions: 0, released: 0 };
  const service = createLandmarkService({
    fetchPack: () => Promise.reject(new Error('not fetched')),
    openCache: () => Promise.resolve(null),
    warmUp: () => Promise.resolve(() => undefined),
    parsePack,
    openSession: async (...args) => {
      const session: EngineSession = await openReference(...args);
      counts.openSessions += 1;
      let isOpen = true;
      return {
        get state() {
          return session.state;
        },
        run: (input) => session.run(input),
        runSums: (input) => session.runSums(input),
        stage: (frame) => {
          session.stage(frame);
        },
        close: () => {
          if (isOpen) counts.openSessions -= 1;
          isOpen = false;
          session.close();
        },
      };
    },
    readPixels: () => Promise.resolve(scene),
    yieldToMessages: () => Promise.resolve(),
    release: () => {
      counts.released += 1;
    },
    nowMs: () => performance.now(),
    ...deps,
  });
  let callId = 0;
  return {
    service,
    counts,
    load: (
      onProgress?: (progress: LoadProgress) => void,
      request: Partial<Parameters<typeof service.load>[0]> = {},
    ) => service.load({ ...LOAD, packs: packsOf(), callId: (callId += 1), ...request }, onProgress),
    detect: (request: Partial<DetectRequest> = {}) =>
      service.detect({
        landmarkerId: ID,
        frame: fakeBitmap().frame,
        timestampMs: 5,
        stream: null,
        options: OPTIONS,
        callId: (callId += 1),
        ...request,
      }),
  };
}

/** A frame that only knows whether it is open. */
export function fakeBitmap(): { frame: FramePayload; closed: () => number } {
  let closed = 0;
  const bitmap = {
    width: 320,
    height: 240,
    close: () => {
      closed += 1;
    },
  };
  return { frame: { kind: 'bitmap', bitmap }, closed: () => closed };
}

/** A session that runs when it is told to. */
export function manualSession() {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const staged: EngineFrame[] = [];
  const kinds: EngineInput['kind'][] = [];
  const turn = (input: EngineInput): Promise<void> =>
    new Promise((resolve, reject) => {
      kinds.push(input.kind);
      waiting.push({ resolve, reject });
    });
  const open: ServiceDeps['openSession'] = async (...args) => {
    const session = await openReference(...args);
    return {
      get state() {
        return session.state;
      },
      run: async (input) => {
        await turn(input);
        return session.run(input);
      },
      runSums: async (input) => {
        await turn(input);
        return session.runSums(input);
      },
      stage: (frame) => {
        staged.push(frame);
      },
      close: () => {
        session.close();
      },
    };
  };
  return { open, waiting, staged, kinds };
}

export const tick = () => new Promise((resolve) => setTimeout(resolve, 0));
