/**
 * The frames that lie on one device: the one that models crop now, and the next, which is brought while the device still works on
 * this one. Textures are kept and grow with the largest frame. Crops nothing.
 */
import type { EngineFrame } from '../backend';
import type { GpuMemory } from './gpu_memory';
import type { FrameCounters } from './webgpu_context';

interface Slot {
  texture: GPUTexture | null;
  /** Of the frame in it; null where nothing names its pixels. */
  id: number | null;
}

export class FrameTextures {
  private readonly memory: GpuMemory;
  private readonly counters: FrameCounters;
  private current: Slot = { texture: null, id: null };
  private next: Slot = { texture: null, id: null };
  /** A frame waits in `next`; frames behind it stay where they are. */
  private isWaiting = false;

  constructor(memory: GpuMemory, counters: FrameCounters) {
    this.memory = memory;
    this.counters = counters;
  }

  /** Brings a frame that will be taken soon. Does nothing for a frame without an id, and while another one waits. */
  stage(frame: EngineFrame): void {
    const { id } = frame;
    if (id === undefined || this.isWaiting || this.current.id === id) return;
    this.upload(frame, this.next);
    this.isWaiting = true;
  }

  /** The texture that holds the frame at its top left, which is brought now unless it is there; valid until the next `take`. */
  take(frame: EngineFrame): GPUTexture {
    const { id } = frame;
    if (id === undefined) return this.upload(frame, this.current);
    if (this.current.texture !== null && this.current.id === id) return this.current.texture;
    const isThere = this.isWaiting && this.next.id === id;
    const texture =
      isThere && this.next.texture !== null ? this.next.texture : this.upload(frame, this.next);
    this.isWaiting = false;
    [this.current, this.next] = [this.next, this.current];
    return texture;
  }

  /** Frees the textures; later frames make new ones. */
  release(): void {
    for (const slot of [this.current, this.next]) {
      if (slot.texture !== null) this.memory.destroy(slot.texture);
      slot.texture = null;
      slot.id = null;
    }
    this.isWaiting = false;
  }

  private upload({ data, width, height, id }: EngineFrame, slot: Slot): GPUTexture {
    const texture = this.fit(slot, width, height);
    this.memory.device.queue.writeTexture({ texture }, data, { bytesPerRow: width * 4 }, [
      width,
      height,
    ]);
    this.counters.uploads++;
    slot.id = id ?? null;
    return texture;
  }

  private fit(slot: Slot, width: number, height: number): GPUTexture {
    const old = slot.texture;
    if (old !== null && old.width >= width && old.height >= height) return old;
    if (old !== null) this.memory.destroy(old);
    slot.texture = this.memory.texture(
      'frame',
      { width: Math.max(width, old?.width ?? 0), height: Math.max(height, old?.height ?? 0) },
      'rgba8uint',
      GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    );
    return slot.texture;
  }
}
