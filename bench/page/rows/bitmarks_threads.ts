/**
 * Row: Bitmarks' engine in a worker on two threads. The worker measures, as pages that use the package wait for messages anyway.
 */
import { transfer, wrap } from 'comlink';
import type { MakeRunner } from '../contestant';
import type { EngineWorker } from './threads_worker';

export const makeRunner: MakeRunner = async (row, photos) => {
  const worker = new Worker(new URL('./threads_worker.ts', import.meta.url), { type: 'module' });
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', ({ message }) => {
      reject(new Error(message));
    });
  });
  const engine = wrap<EngineWorker>(worker);
  const bitmaps = await Promise.all(photos.map((photo) => createImageBitmap(photo)));
  const started = await Promise.race([engine.start(row, transfer(bitmaps, bitmaps)), failed]);
  return {
    ...started,
    network: () => engine.network(),
    frame: (photo) => engine.frame(photo),
    repeat: (workload, photo, forMs) => engine.repeat(workload, photo, forMs),
  };
};
