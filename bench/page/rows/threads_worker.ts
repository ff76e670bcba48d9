/**
 * The worker of bitmarks_threads.ts: a row's engine, called and measured where it is.
 */
import { expose } from 'comlink';
import type { Workload } from '../../measurement';
import type { Row } from '../../rows';
import type { Heatmap, Runner } from '../contestant';
import { repeatCall } from '../repeat_call';
import { makeRunner } from './bitmarks_engine';

let made: ReturnType<typeof makeRunner> | undefined;

function running(): ReturnType<typeof makeRunner> {
  if (made === undefined) throw new Error('the engine was not started');
  return made;
}

const worker = {
  async start(
    row: Row,
    photos: readonly ImageBitmap[],
  ): Promise<Pick<Runner, 'description' | 'kernels' | 'multiplyAdds'>> {
    const canvases = photos.map((photo) => {
      const canvas = new OffscreenCanvas(photo.width, photo.height);
      canvas.getContext('2d', { willReadFrequently: true })?.drawImage(photo, 0, 0);
      return canvas;
    });
    made = makeRunner(row, canvases);
    const { description, kernels = [], multiplyAdds = NaN } = await made;
    return { description, kernels, multiplyAdds };
  },
  async network(): Promise<Heatmap> {
    const { network } = await running();
    // Not the memory that the threads share.
    return Int16Array.from(await network());
  },
  async frame(photo: number): Promise<number | null> {
    return (await running()).frame(photo);
  },
  async repeat(workload: Workload, photo: number, forMs: number): Promise<readonly number[]> {
    const { network, frame } = await running();
    return repeatCall(workload === 'network' ? network : () => frame(photo), forMs);
  },
};
export type EngineWorker = typeof worker;
expose(worker);
