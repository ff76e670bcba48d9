/**
 * The frames that lie on one device: the one that models crop now, and the next, which is brought while the device still works on
 * this one. Textures are kept and grow with the largest frame. Crops nothing.
 */
import type { EngineFrame } from '../backend';
import type { GpuMemory } from './gpu_memory';
import type { FrameCounters } from './webgpu_context';

interface Slot {
  /** Where uploads go; null: nowhere yet. */
  place: { readonly texture: GPUTexture } | null;
  /** Of the frame in it; null where nothing names its pixels. */
  id: number | null;
}

export class FrameTextures {
  private readonly memory: GpuMemory;
  private readonly counters: FrameCounters;
  private current: Slot = { place: null, id: null };
  private next: Slot = { place: null, id: null };
  /** A frame waits in `next`; frames behind it stay where they are. */
  private isWaiting = false;
  // Arguments of all uploads: new ones would be a good part of a frame's garbage.
  private readonly layout = { bytesPerRow: 0 };
  private readonly size: [width: number, height: number] = [0, 0];

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
    const { current, next } = this;
    if (current.place !== null && current.id === id) return current.place.texture;
    const texture =
      this.isWaiting && next.id === id && next.place !== null
        ? next.place.texture
        : this.upload(frame, next);
    this.isWaiting = false;
    this.current = next;
    this.next = current;
    return texture;
  }

  /** Frees the textures; later frames make new ones. */
  release(): void {
    for (const slot of [this.current, this.next]) {
      if (slot.place !== null) this.memory.destroy(slot.place.texture);
      slot.place = null;
      slot.id = null;
    }
    this.isWaiting = false;
  }

  private upload({ data, width, height, id }: EngineFrame, slot: Slot): GPUTexture {
    const place = this.fit(slot, width, height);
    this.layout.bytesPerRow = width * 4;
    this.size[0] = width;
    this.size[1] = height;
    this.memory.device.queue.writeTexture(place, data, this.layout, this.size);
    this.counters.uploads++;
    slot.id = id ?? null;
    return place.texture;
  }

  private fit(slot: Slot, width: number, height: number): { readonly texture: GPUTexture } {
    const old = slot.place?.texture;
    if (slot.place !== null && old !== undefined) {
      if (old.width >= width && old.height >= height) return slot.place;
      this.memory.destroy(old);
    }
    const texture = this.memory.texture(
      'frame',
      { width: Math.max(width, old?.width ?? 0), height: Math.max(height, old?.height ?? 0) },
      'rgba8uint',
      GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    );
    slot.place = { texture };
    return slot.place;
  }
}
