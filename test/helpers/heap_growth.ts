/**
 * What frames leave on the JavaScript heap when nothing collects them, in a Chromium started with HEAP_FLAGS (scripts/chromium.mjs).
 */

/**
 * Bytes by which the heap grows in a call, without what reading it takes: the median over `frames` calls, which a collection in one of them
 * does not move, after five that do not count. Throws without the flags.
 */
export async function heapGrowth(
  run: (frame: number) => Promise<unknown>,
  frames: number,
): Promise<number> {
  const own = await medianGrowth(() => Promise.resolve(), frames);
  return (await medianGrowth(run, frames)) - own;
}

async function medianGrowth(
  run: (frame: number) => Promise<unknown>,
  frames: number,
): Promise<number> {
  const { gc, performance: clock } = globalThis as unknown as {
    gc?: () => void;
    performance: { memory?: { usedJSHeapSize: number } };
  };
  // Each reading of the property takes the heap anew.
  const usedBytes = (): number => clock.memory?.usedJSHeapSize ?? NaN;
  if (gc === undefined || Number.isNaN(usedBytes())) {
    throw new Error(
      'the heap cannot be read; start Chromium with HEAP_FLAGS of scripts/chromium.mjs',
    );
  }
  for (let frame = 0; frame < 5; frame++) await run(frame);
  gc();
  const growths = new Float64Array(frames);
  for (let frame = 0; frame < frames; frame++) {
    const before = usedBytes();
    await run(frame + 5);
    growths[frame] = usedBytes() - before;
  }
  return growths.toSorted()[frames >> 1] ?? NaN;
}
