/**
 * A page that hands tasks to engine_worker.ts and gives back what comes of them: `ask(task)`.
 */
import type { ThreadsTask } from './engine_worker';

const ask = (task: ThreadsTask): Promise<unknown> => {
  const worker = new Worker(new URL('./engine_worker.ts', import.meta.url), { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }) => {
      worker.terminate();
      resolve(data);
    });
    worker.addEventListener('error', ({ message }) => {
      reject(new Error(message));
    });
    worker.postMessage(task);
  });
};
Object.assign(window, { ask });
