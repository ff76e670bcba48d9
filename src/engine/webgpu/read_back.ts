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

  /** Waits for the GPU, copies the bytes and returns the buffer to the pool. */
  async read(buffer: GPUBuffer): Promise<ArrayBuffer> {
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, this.sizeBytes);
      const bytes = buffer.getMappedRange(0, this.sizeBytes).slice(0);
      buffer.unmap();
      this.free.push(buffer);
      return bytes;
    } catch (cause) {
      this.memory.destroy(buffer);
      throw cause;
    }
  }
}
