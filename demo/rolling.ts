/**
 * Statistics over the newest few values: median and rate. Pure numbers, no clock.
 */

/** Median of the newest `capacity` values. */
export class RollingMedian {
  readonly #capacity: number;
  #values: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(value: number): void {
    this.#values = [...this.#values, value].slice(-this.#capacity);
  }

  /** Null before the first value. */
  get median(): number | null {
    const sorted = this.#values.toSorted((a, b) => a - b);
    const middle = (sorted.length - 1) / 2;
    const low = sorted[Math.floor(middle)];
    const high = sorted[Math.ceil(middle)];
    return low === undefined || high === undefined ? null : (low + high) / 2;
  }
}

/** Events per second over the newest `windowMs`. */
export class RollingRate {
  readonly #windowMs: number;
  #timesMs: number[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(nowMs: number): void {
    this.#timesMs = [...this.#timesMs, nowMs].filter((time) => time > nowMs - this.#windowMs);
  }

  /** Null before the second event. */
  get perSecond(): number | null {
    const [first] = this.#timesMs;
    const last = this.#timesMs.at(-1);
    if (first === undefined || last === undefined || last === first) return null;
    return ((this.#timesMs.length - 1) * 1000) / (last - first);
  }
}
