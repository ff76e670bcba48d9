/**
 * Makes and destroys buffers and textures and keeps count of their bytes, so that a leak is a number a test can see.
 * Decides nothing about what is stored in them.
 */

/** Bytes of one texel, for the formats the engine uses. */
const TEXEL_BYTES = { r32uint: 4, rgba8uint: 4, rgba32uint: 16 } as const;

export type TexelFormat = keyof typeof TEXEL_BYTES;

/** Bytes and objects alive now. */
export interface GpuMemoryCount {
  readonly bytes: number;
  readonly objects: number;
}

/** Allocations of one owner; `parent`, if any, counts them too. */
export class GpuMemory {
  readonly device: GPUDevice;
  private readonly parent: GpuMemory | null;
  private readonly sizes = new Map<GPUBuffer | GPUTexture, number>();
  private bytes = 0;

  constructor(device: GPUDevice, parent: GpuMemory | null = null) {
    this.device = device;
    this.parent = parent;
  }

  get count(): GpuMemoryCount {
    return { bytes: this.bytes, objects: this.sizes.size };
  }

  /** A buffer of at least `sizeBytes`, rounded up to whole words and never empty. */
  buffer(label: string, sizeBytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const size = Math.max(16, Math.ceil(sizeBytes / 4) * 4);
    return this.add(this.device.createBuffer({ label, size, usage }), size);
  }

  /** A storage buffer filled with `words`. */
  filledBuffer(label: string, words: Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.buffer(
      label,
      words.byteLength,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    );
    this.device.queue.writeBuffer(buffer, 0, words);
    return buffer;
  }

  texture(
    label: string,
    size: { readonly width: number; readonly height: number },
    format: TexelFormat,
    usage: GPUTextureUsageFlags,
  ): GPUTexture {
    const bytes = size.width * size.height * TEXEL_BYTES[format];
    return this.add(
      this.device.createTexture({ label, size: [size.width, size.height], format, usage }),
      bytes,
    );
  }

  destroy(resource: GPUBuffer | GPUTexture): void {
    if (!this.sizes.has(resource)) return;
    this.forget(resource);
    resource.destroy();
  }

  destroyAll(): void {
    for (const resource of [...this.sizes.keys()]) this.destroy(resource);
  }

  private add<T extends GPUBuffer | GPUTexture>(resource: T, bytes: number): T {
    this.remember(resource, bytes);
    return resource;
  }

  private remember(resource: GPUBuffer | GPUTexture, bytes: number): void {
    this.sizes.set(resource, bytes);
    this.bytes += bytes;
    this.parent?.remember(resource, bytes);
  }

  private forget(resource: GPUBuffer | GPUTexture): void {
    this.bytes -= this.sizes.get(resource) ?? 0;
    this.sizes.delete(resource);
    this.parent?.forget(resource);
  }
}
