/**
 * Places blocks that live for some steps at offsets in one arena, so that blocks which live at once never overlap. Numbers
 * only: what a block holds, and in which unit it is counted, is the caller's business.
 */

/** A block of memory and the steps during which it must not be written by others, both included. */
export interface Block {
  readonly size: number;
  readonly firstStep: number;
  readonly lastStep: number;
}

export interface ArenaLayout {
  /** One for each block, in the order given; multiples of the alignment. */
  readonly offsets: readonly number[];
  /** Size of the arena. */
  readonly size: number;
}

/** Packs placed exactly after 7 rounds at most; on random graphs more rounds than these gained nothing. */
const ROUNDS = 32;

/**
 * Places blocks one after the other, each in the smallest gap that holds it: first those that take most space for most steps.
 * While the arena is larger than the blocks that live at once, the block that reaches its end is placed first in another try.
 */
export function layOutArena(blocks: readonly Block[], alignment: number): ArenaLayout {
  const aligned = blocks.map((block) => ({
    ...block,
    size: Math.ceil(block.size / alignment) * alignment,
  }));
  const leastSize = largestLiveSize(aligned);
  const extent = ({ size, firstStep, lastStep }: Block): number =>
    size * (lastStep - firstStep + 1);
  let order = aligned
    .map((block, index) => ({ index, extent: extent(block) }))
    .sort((a, b) => b.extent - a.extent || a.index - b.index)
    .map(({ index }) => index);
  let best = placeInOrder(aligned, order);
  for (let round = 0, { last } = best; round < ROUNDS && best.size > leastSize; round++) {
    const highest = last;
    order = [highest, ...order.filter((index) => index !== highest)];
    const layout = placeInOrder(aligned, order);
    if (layout.size < best.size) best = layout;
    last = layout.last;
  }
  return { offsets: best.offsets, size: best.size };
}

/** The most that lives at once: no arena is smaller. */
export function largestLiveSize(blocks: readonly Block[]): number {
  const sizes = blocks.map(({ firstStep }) =>
    blocks
      .filter((block) => block.firstStep <= firstStep && block.lastStep >= firstStep)
      .reduce((sum, { size }) => sum + size, 0),
  );
  return Math.max(0, ...sizes);
}

interface Placed extends Block {
  readonly offset: number;
}

/** `last` is the block that reaches the end of the arena. */
function placeInOrder(
  blocks: readonly Block[],
  order: readonly number[],
): ArenaLayout & { readonly last: number } {
  const offsets = blocks.map(() => 0);
  const placed: Placed[] = [];
  let size = 0;
  let last = 0;
  for (const index of order) {
    const block = blocks[index];
    if (block === undefined) continue;
    const offset = smallestGap(
      placed.filter((other) => livesBeside(other, block)),
      block.size,
    );
    offsets[index] = offset;
    placed.push({ ...block, offset });
    if (offset + block.size > size) {
      size = offset + block.size;
      last = index;
    }
  }
  return { offsets, size, last };
}

function livesBeside(a: Block, b: Block): boolean {
  return a.firstStep <= b.lastStep && a.lastStep >= b.firstStep;
}

/** Offset of the smallest gap between the blocks that has room for `size`, or behind all of them. */
function smallestGap(blocks: readonly Placed[], size: number): number {
  let offset = 0;
  let best: { readonly offset: number; readonly room: number } | null = null;
  for (const block of [...blocks].sort((a, b) => a.offset - b.offset)) {
    const room = block.offset - offset;
    if (room >= size && (best === null || room < best.room)) best = { offset, room };
    offset = Math.max(offset, block.offset + block.size);
  }
  return best?.offset ?? offset;
}
