/**
 * Pooled buffers that the CPU reads. One pool holds buffers of one size.
 */
import type { GpuMemory } from './gpu_memory';

export class ReadBackPool {
  readonly sizeBytes: number;
  private readonly memory: GpuMemory;
  private readonly free: GPUBuffer[] = [];

  constructor(memory: GpuMemory, sizeBytes: number) {
    this.memory = memory;
    this.sizeBytes = sizeBytes;
  }

  /** A buffer to copy results into; give it to `read` next. */
  take(): GPUBuffer {
    return (
      this.free.pop() ??
      this.memory.buffer(
        'read-back',
        this.sizeBytes,
        GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      )
    );
  }

  /** Waits for the GPU, hands its bytes to `take`, which must not keep them, and returns the buffer to the pool. */
  async read<T>(buffer: GPUBuffer, take: (bytes: ArrayBuffer) => T): Promise<T> {
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, this.sizeBytes);
      const taken = take(buffer.getMappedRange(0, this.sizeBytes));
      buffer.unmap();
      this.free.push(buffer);
      return taken;
    } catch (cause) {
      this.memory.destroy(buffer);
      throw cause;
    }
  }
}
