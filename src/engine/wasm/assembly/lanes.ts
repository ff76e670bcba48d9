/**
 * Small helpers that several kernels share: partial stores and the closing shift of a convolution.
 * No loops over tensors here.
 */

/** Sixteen bytes that no tensor and no other thread uses: the host allocates above all of them. */
let scratch: usize = 64;

/** Each thread's instance gets bytes of its own. */
export function setScratch(address: usize): void {
  scratch = address;
}

/** Stores the first `count` 16-bit lanes of `values` (count 1..8, or more for all of them). */
// @ts-ignore: decorator
@inline
export function storeLanes16(target: usize, values: v128, count: i32): void {
  if (count >= 8) {
    v128.store(target, values);
  } else {
    v128.store(scratch, values);
    memory.copy(target, scratch, <usize>count << 1);
  }
}

/** Stores the first `count` bytes of `values`, 1..8. */
// @ts-ignore: decorator
@inline
export function storeBytes(target: usize, values: v128, count: i32): void {
  v128.store(scratch, values);
  memory.copy(target, scratch, count);
}

/** sat16((sum + r) >> shift) of eight 32-bit sums; `rounding` holds r in every lane. */
// @ts-ignore: decorator
@inline
export function narrowSums(low: v128, high: v128, rounding: v128, shift: i32): v128 {
  return v128.narrow<i32>(
    v128.shr<i32>(v128.add<i32>(low, rounding), shift),
    v128.shr<i32>(v128.add<i32>(high, rounding), shift),
  );
}

/** r in every lane: half of 2^shift, 0 for shift 0. */
// @ts-ignore: decorator
@inline
export function roundingOf(shift: i32): v128 {
  return i32x4.splat(shift > 0 ? 1 << (shift - 1) : 0);
}
