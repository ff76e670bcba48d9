/**
 * One-euro smoothing (Casiez, Roussel and Vogel, CHI 2012) of a vector of numbers over time: a low-pass filter whose
 * cutoff rises with speed, so that what rests does not tremble and what moves does not lag. Knows no landmarks.
 */

export interface OneEuroConstants {
  /** Cutoff at rest, Hz. */
  readonly minCutoffHz: number;
  /** Hz of cutoff per unit of length per second. */
  readonly speedCutoff: number;
  /** Cutoff of the speed estimate, Hz. */
  readonly derivativeCutoffHz: number;
}

/** Frames closer in time than this are treated as this far apart. */
const MIN_STEP_MS = 1;

export class OneEuroFilter {
  readonly #constants: OneEuroConstants;
  #timestampMs = 0;
  #values: Float64Array | null = null;
  #speeds = new Float64Array();

  constructor(constants: OneEuroConstants) {
    this.#constants = constants;
  }

  /**
   * Takes the values seen at `timestampMs` and returns the smoothed ones, as many, in their order. `unit` is the length
   * that counts as 1 for speeds. The first call, and a call with another number of values, returns what it is given.
   */
  apply(values: readonly number[], timestampMs: number, unit: number): number[] {
    const previous = this.#values;
    if (previous === null || previous.length !== values.length) {
      this.#values = Float64Array.from(values);
      this.#speeds = new Float64Array(values.length);
      this.#timestampMs = timestampMs;
      return [...values];
    }
    const { minCutoffHz, speedCutoff, derivativeCutoffHz } = this.#constants;
    const stepSeconds = Math.max(timestampMs - this.#timestampMs, MIN_STEP_MS) / 1000;
    this.#timestampMs = timestampMs;
    const speedBlend = blend(derivativeCutoffHz, stepSeconds);
    values.forEach((value, i) => {
      const before = previous[i] ?? value;
      const speed = (value - before) / (stepSeconds * unit);
      const lastSpeed = this.#speeds[i] ?? 0;
      const smoothSpeed = lastSpeed + speedBlend * (speed - lastSpeed);
      this.#speeds[i] = smoothSpeed;
      const cutoffHz = minCutoffHz + speedCutoff * Math.abs(smoothSpeed);
      previous[i] = before + blend(cutoffHz, stepSeconds) * (value - before);
    });
    return [...previous];
  }
}

/** Weight of the new value in a first-order low-pass filter. */
function blend(cutoffHz: number, stepSeconds: number): number {
  const ratio = 2 * Math.PI * cutoffHz * stepSeconds;
  return ratio / (1 + ratio);
}
