/**
 * Memory of one WASM backend: a first-fit allocator over a WebAssembly.Memory, so that closed models make room for the
 * next ones. WebAssembly memory never shrinks; what is freed is reused. Knows nothing of tensors.
 */
import { BitmarksError } from '../../errors';

const PAGE_BYTES = 65536;
const ALIGNMENT = 64;
/** What the modules for threads declare (assembly/asconfig.json): 128 MiB, of which address space alone is taken. */
const MOST_SHARED_PAGES = 2048;

interface Region {
  readonly address: number;
  readonly bytes: number;
}

export class MemoryArena {
  readonly memory: WebAssembly.Memory;
  /** Free regions below `top`, in address order, never adjacent. */
  private free: Region[] = [];
  private readonly taken = new Map<number, number>();
  private top: number;

  /** Below `firstAddress` lie the kernels' own bytes (kernels/kernel.ts). `shared`: between threads. */
  constructor(firstAddress: number, shared: boolean) {
    this.top = firstAddress;
    this.memory = new WebAssembly.Memory(
      shared ? { initial: 1, maximum: MOST_SHARED_PAGES, shared } : { initial: 1 },
    );
  }

  /** Address of `bytes` fresh bytes, aligned to 64; their content is undefined. */
  allocate(bytes: number): number {
    const size = Math.ceil(Math.max(bytes, 1) / ALIGNMENT) * ALIGNMENT;
    const index = this.free.findIndex((region) => region.bytes >= size);
    const region = this.free[index];
    let address = this.top;
    if (region === undefined) {
      this.grow(this.top + size);
      this.top += size;
    } else {
      address = region.address;
      const rest = { address: address + size, bytes: region.bytes - size };
      this.free.splice(index, 1, ...(rest.bytes > 0 ? [rest] : []));
    }
    this.taken.set(address, size);
    return address;
  }

  /** Gives back what allocate returned; an address that is not taken is ignored. */
  release(address: number): void {
    const bytes = this.taken.get(address);
    if (bytes === undefined) return;
    this.taken.delete(address);
    const merged: Region[] = [];
    for (const region of [...this.free, { address, bytes }].sort((a, b) => a.address - b.address)) {
      const last = merged.at(-1);
      if (last !== undefined && last.address + last.bytes === region.address) {
        merged[merged.length - 1] = { address: last.address, bytes: last.bytes + region.bytes };
      } else {
        merged.push(region);
      }
    }
    const last = merged.at(-1);
    if (last !== undefined && last.address + last.bytes === this.top) {
      this.top = last.address;
      merged.pop();
    }
    this.free = merged;
  }

  /** Bytes now allocated. */
  get usedBytes(): number {
    return [...this.taken.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Copies the bytes of a typed array to an address. */
  write(address: number, values: ArrayBufferView): void {
    new Uint8Array(this.memory.buffer, address, values.byteLength).set(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
  }

  private grow(bytes: number): void {
    // A growth detaches earlier views of the buffer; views are therefore made anew at each use. Kernels load whole vectors
    // and may read past the last tensor, hence the page of slack.
    const missing = bytes + PAGE_BYTES - this.memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      throw new BitmarksError(
        'backend/failed',
        `WebAssembly memory could not grow to ${bytes} bytes; close models that are no longer used`,
        { cause },
      );
    }
  }
}
