/**
 * The benchmark page: runs one row, named by the address's hash, whenever the script that opened it gives it a turn. Loads
 * nothing but that row, so that what it downloads is what the row needs.
 */
import type { Start, Turn, Workload } from '../measurement';
import { ROWS, type Maker } from '../rows';
import type { MakeRunner, Runner } from './contestant';
import { repeatCall } from './repeat_call';

/** What the script calls. */
export interface BenchPage {
  start(photoFiles: readonly string[]): Promise<Start>;
  turn(photo: number, turnMs: number): Promise<Turn>;
  /** Only calls, up to `count`, none of which begins after `forMs`; says how many. */
  frames(count: number, forMs: number): Promise<number>;
  /** Bytes; null where the browser does not tell. */
  memory(): Promise<number | null>;
}

const MAKERS: Readonly<Record<Maker, () => Promise<{ readonly makeRunner: MakeRunner }>>> = {
  bitmarks_engine: () => import('./rows/bitmarks_engine'),
  bitmarks_threads: () => import('./rows/bitmarks_threads'),
  bitmarks_page: () => import('./rows/bitmarks_page'),
  tfjs_float: () => import('./rows/tfjs_float'),
  onnx_runtime: () => import('./rows/onnx_runtime'),
  movenet: () => import('./rows/movenet'),
  face_api: () => import('./rows/face_api'),
  human: () => import('./rows/human'),
  mediapipe: () => import('./rows/mediapipe'),
};

/** The browser waits long for workers that are blocked, as threads without work are. */
const MEMORY_PATIENCE_MS = 20_000;

let runner: Runner | undefined;
let photoCount = 1;

function running(): Runner {
  if (runner === undefined) throw new Error('the row was not started');
  return runner;
}

async function start(photoFiles: readonly string[]): Promise<Start> {
  const row = ROWS.find(({ id }) => id === decodeURIComponent(location.hash.slice(1)));
  if (row === undefined) throw new Error(`no row ${location.hash}`);
  const photos = await Promise.all(photoFiles.map(loadPhoto));
  photoCount = photos.length;
  const { makeRunner } = await MAKERS[row.maker]();
  runner = await makeRunner(row, photos);
  await runner.frame(0);
  const coldStartMs = performance.now();
  const { description, kernels = [], multiplyAdds = null } = runner;
  const heatmaps = multiplyAdds === null ? null : await runner.network?.();
  return {
    ...{ description, coldStartMs, multiplyAdds, kernels },
    heatmaps: heatmaps ? Array.from(heatmaps, Math.round) : null,
  };
}

async function turn(photo: number, turnMs: number): Promise<Turn> {
  const { network, frame, repeat } = running();
  let found: number | null = null;
  const calls = {
    network,
    frame: async (): Promise<void> => {
      found = await frame(photo);
    },
  };
  const timed = async (workload: Workload, forMs: number): Promise<readonly number[]> => {
    const call = calls[workload];
    if (call === undefined) return [];
    return repeat === undefined ? repeatCall(call, forMs) : repeat(workload, photo, forMs);
  };
  const [firstMs = NaN] = await timed('frame', 0);
  return {
    network: await timed('network', turnMs / 2),
    frame: await timed('frame', network === undefined ? turnMs : turnMs / 2),
    ...{ firstMs, found },
  };
}

async function frames(count: number, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let done = 0;
  while (done < count && performance.now() < endMs) {
    await running().frame(Math.floor(done / 10) % photoCount);
    done += 1;
  }
  return done;
}

async function memory(): Promise<number | null> {
  const measure: unknown = Reflect.get(performance, 'measureUserAgentSpecificMemory');
  if (typeof measure !== 'function') return null;
  const told = Reflect.apply(measure, performance, []) as Promise<{ bytes: number }>;
  const late = new Promise<null>((resolve) => {
    setTimeout(resolve, MEMORY_PATIENCE_MS, null);
  });
  return (await Promise.race([told, late]))?.bytes ?? null;
}

async function loadPhoto(file: string): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(await (await fetch(file)).blob());
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.getContext('2d', { willReadFrequently: true })?.drawImage(bitmap, 0, 0);
  return canvas;
}

const page: BenchPage = { start, turn, frames, memory };
Object.assign(window, { bench: page });
