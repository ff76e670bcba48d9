/**
 * Calls and their times. For the page and for workers.
 */

/** Calls for so long, once at least; milliseconds of each call. */
export async function repeatCall(call: () => unknown, forMs: number): Promise<number[]> {
  const times: number[] = [];
  const endMs = performance.now() + forMs;
  do {
    const startMs = performance.now();
    await call();
    times.push(performance.now() - startMs);
  } while (performance.now() < endMs);
  return times;
}
