/**
 * GPU time of a model's steps by timestamp queries: from the start of a frame's pass to its end, without crop, sums and
 * read-back. Prints nothing.
 */
import type { WebgpuModel } from '../../src/engine/webgpu/webgpu_model';

/** Milliseconds of each of `frames` frames after three more; null where the device has no timestamp queries. */
export async function timeOnGpu(
  model: WebgpuModel,
  frames: number,
): Promise<readonly number[] | null> {
  const { device } = model.context;
  if (!device.features.has('timestamp-query')) return null;
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const readBack = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const times: number[] = [];
  for (let frame = -3; frame < frames; frame++) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass({
      timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    });
    model.encodeSteps(pass);
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readBack, 0, 16);
    device.queue.submit([encoder.finish()]);
    await readBack.mapAsync(GPUMapMode.READ);
    const [beginNs = 0n, endNs = 0n] = new BigUint64Array(readBack.getMappedRange());
    readBack.unmap();
    if (frame >= 0) times.push(Number(endNs - beginNs) / 1e6);
  }
  for (const resource of [querySet, resolved, readBack]) resource.destroy();
  return times;
}
