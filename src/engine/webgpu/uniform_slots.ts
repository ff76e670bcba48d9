/**
 * Uniform slots: one buffer holds the uniforms of many dispatches, each bound with its own dynamic offset.
 */

/** Bytes of a slot; every device accepts dynamic offsets that are multiples of it. */
export const UNIFORM_SLOT_BYTES = 256;

const SLOT_WORDS = UNIFORM_SLOT_BYTES / 4;

/** Slots one behind the other. A slot takes up to 64 integers. */
export function uniformSlots(slots: readonly (readonly number[])[]): Int32Array<ArrayBuffer> {
  const words = new Int32Array(slots.length * SLOT_WORDS);
  slots.forEach((slot, index) => words.set(slot, index * SLOT_WORDS));
  return words;
}
