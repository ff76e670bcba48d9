/**
 * Convolution with 1-bit weights and activations in 0..127 (SIMD128): sums of 16 bits, spilled to 32.
 *
 *   out[y, x, o] = sat16((sum over ky, k of w[o, ky, k] * a[y * stride + ky, x * stride * C + k] + r) >> shift)
 *
 * With weights of 1 and -1 the sum is twice the sum of the activations whose weight is 1, less the sum of all: a mask, a
 * pairwise addition and an addition for a pair of activations and eight outputs, and the sum of all once per pixel.
 * The host chooses `chunkOcts`, the number of 8-activation groups after which no unsigned 16-bit sum can have overflown; there
 * the sums are added to 32-bit sums in memory.
 * Weights: blocks of 16 (a last block of 8 where 8 or fewer remain) outputs; in a block, per kernel row and per step of 2 activations, 2 (or 1)
 * vectors of 8 mask pairs, one per output. A kernel row is one run of kernel * channels activations, padded with zero masks to a multiple
 * of 8, so up to 7 activations past a run are read and masked.
 *
 * `runBytes` is the length of a run without padding. `activations` is the first activation under the kernel at output (0, 0); an output row further is `stepY` bytes, an
 * output column `stepX` bytes, a kernel row `rowBytes` bytes. Tiles are four pixels wide; where fewer remain, the last
 * pixel is computed again and stored again.
 */
import { narrowSums, roundingOf, storeLanes16 } from './lanes';
import { windowTotal } from './window_total';

// @ts-ignore: decorator
@inline
function addSums(spill: usize, offset: usize, sums: v128, again: bool): void {
  const at = spill + offset;
  let low = v128.extend_low<u16>(sums);
  let high = v128.extend_high<u16>(sums);
  if (again) {
    low = v128.add<i32>(low, v128.load(at));
    high = v128.add<i32>(high, v128.load(at, 16));
  }
  v128.store(at, low);
  v128.store(at, high, 16);
}

/** sums + pairwise(mask0 & a0) + pairwise(mask1 & a1); bytes are added first, two of 127 fit. */
// @ts-ignore: decorator
@inline
function addMasked(sums: v128, mask0: v128, a0: v128, mask1: v128, a1: v128): v128 {
  const bytes = v128.add<u8>(v128.and(mask0, a0), v128.and(mask1, a1));
  return v128.add<i16>(sums, v128.extadd_pairwise<u8>(bytes));
}

// @ts-ignore: decorator
@inline
function closeSums(sums: v128, spill: usize, offset: usize, spilled: bool, total: i32, rounding: v128, shift: i32): v128 {
  const at = spill + offset;
  let low = v128.extend_low<u16>(sums);
  let high = v128.extend_high<u16>(sums);
  if (spilled) {
    low = v128.add<i32>(low, v128.load(at));
    high = v128.add<i32>(high, v128.load(at, 16));
  }
  const totals = i32x4.splat(total);
  return narrowSums(
    v128.sub<i32>(v128.shl<i32>(low, 1), totals), v128.sub<i32>(v128.shl<i32>(high, 1), totals), rounding, shift,
  );
}

/** Four pixels, up to 16 outputs. `spill` has room for 256 bytes. */
function tile16(
  a0: usize, a1: usize, a2: usize, a3: usize, weights: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, lanes: i32,
  rows: i32, runOcts: i32, rowBytes: i32, shift: i32, chunkOcts: i32, spill: usize,
  t0: i32, t1: i32, t2: i32, t3: i32,
): void {
  let w = weights;
  let s00 = i16x8.splat(0); let s01 = i16x8.splat(0);
  let s10 = i16x8.splat(0); let s11 = i16x8.splat(0);
  let s20 = i16x8.splat(0); let s21 = i16x8.splat(0);
  let s30 = i16x8.splat(0); let s31 = i16x8.splat(0);
  let left = chunkOcts;
  let spilled = false;
  for (let ky = 0; ky < rows; ++ky) {
    let p0 = a0 + ky * rowBytes;
    let p1 = a1 + ky * rowBytes;
    let p2 = a2 + ky * rowBytes;
    let p3 = a3 + ky * rowBytes;
    let n = runOcts;
    while (n > 0) {
      let m = min(n, left);
      n -= m;
      left -= m;
      for (; m > 0; --m) {
        const w00 = v128.load(w, 0);
        const w10 = v128.load(w, 32);
        const w01 = v128.load(w, 16);
        const w11 = v128.load(w, 48);
        const a00 = v128.load_splat<i16>(p0, 0);
        const a10 = v128.load_splat<i16>(p0, 2);
        s00 = addMasked(s00, w00, a00, w10, a10);
        s01 = addMasked(s01, w01, a00, w11, a10);
        const a01 = v128.load_splat<i16>(p1, 0);
        const a11 = v128.load_splat<i16>(p1, 2);
        s10 = addMasked(s10, w00, a01, w10, a11);
        s11 = addMasked(s11, w01, a01, w11, a11);
        const a02 = v128.load_splat<i16>(p2, 0);
        const a12 = v128.load_splat<i16>(p2, 2);
        s20 = addMasked(s20, w00, a02, w10, a12);
        s21 = addMasked(s21, w01, a02, w11, a12);
        const a03 = v128.load_splat<i16>(p3, 0);
        const a13 = v128.load_splat<i16>(p3, 2);
        s30 = addMasked(s30, w00, a03, w10, a13);
        s31 = addMasked(s31, w01, a03, w11, a13);
        const w20 = v128.load(w, 64);
        const w30 = v128.load(w, 96);
        const w21 = v128.load(w, 80);
        const w31 = v128.load(w, 112);
        const a20 = v128.load_splat<i16>(p0, 4);
        const a30 = v128.load_splat<i16>(p0, 6);
        s00 = addMasked(s00, w20, a20, w30, a30);
        s01 = addMasked(s01, w21, a20, w31, a30);
        const a21 = v128.load_splat<i16>(p1, 4);
        const a31 = v128.load_splat<i16>(p1, 6);
        s10 = addMasked(s10, w20, a21, w30, a31);
        s11 = addMasked(s11, w21, a21, w31, a31);
        const a22 = v128.load_splat<i16>(p2, 4);
        const a32 = v128.load_splat<i16>(p2, 6);
        s20 = addMasked(s20, w20, a22, w30, a32);
        s21 = addMasked(s21, w21, a22, w31, a32);
        const a23 = v128.load_splat<i16>(p3, 4);
        const a33 = v128.load_splat<i16>(p3, 6);
        s30 = addMasked(s30, w20, a23, w30, a33);
        s31 = addMasked(s31, w21, a23, w31, a33);
        p0 += 8;
        p1 += 8;
        p2 += 8;
        p3 += 8;
        w += 128;
      }
      if (left == 0) {
        addSums(spill, 0, s00, spilled);
        addSums(spill, 32, s01, spilled);
        addSums(spill, 64, s10, spilled);
        addSums(spill, 96, s11, spilled);
        addSums(spill, 128, s20, spilled);
        addSums(spill, 160, s21, spilled);
        addSums(spill, 192, s30, spilled);
        addSums(spill, 224, s31, spilled);
        s00 = i16x8.splat(0); s01 = i16x8.splat(0);
        s10 = i16x8.splat(0); s11 = i16x8.splat(0);
        s20 = i16x8.splat(0); s21 = i16x8.splat(0);
        s30 = i16x8.splat(0); s31 = i16x8.splat(0);
        spilled = true;
        left = chunkOcts;
      }
    }
  }
  const rounding = roundingOf(shift);
  storeLanes16(o0, closeSums(s00, spill, 0, spilled, t0, rounding, shift), lanes);
  storeLanes16(o0 + 16, closeSums(s01, spill, 32, spilled, t0, rounding, shift), lanes - 8);
  storeLanes16(o1, closeSums(s10, spill, 64, spilled, t1, rounding, shift), lanes);
  storeLanes16(o1 + 16, closeSums(s11, spill, 96, spilled, t1, rounding, shift), lanes - 8);
  storeLanes16(o2, closeSums(s20, spill, 128, spilled, t2, rounding, shift), lanes);
  storeLanes16(o2 + 16, closeSums(s21, spill, 160, spilled, t2, rounding, shift), lanes - 8);
  storeLanes16(o3, closeSums(s30, spill, 192, spilled, t3, rounding, shift), lanes);
  storeLanes16(o3 + 16, closeSums(s31, spill, 224, spilled, t3, rounding, shift), lanes - 8);
}

/** Four pixels, up to 8 outputs. */
function tile8(
  a0: usize, a1: usize, a2: usize, a3: usize, weights: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, lanes: i32,
  rows: i32, runOcts: i32, rowBytes: i32, shift: i32, chunkOcts: i32, spill: usize,
  t0: i32, t1: i32, t2: i32, t3: i32,
): void {
  let w = weights;
  let s00 = i16x8.splat(0);
  let s10 = i16x8.splat(0);
  let s20 = i16x8.splat(0);
  let s30 = i16x8.splat(0);
  let left = chunkOcts;
  let spilled = false;
  for (let ky = 0; ky < rows; ++ky) {
    let p0 = a0 + ky * rowBytes;
    let p1 = a1 + ky * rowBytes;
    let p2 = a2 + ky * rowBytes;
    let p3 = a3 + ky * rowBytes;
    let n = runOcts;
    while (n > 0) {
      let m = min(n, left);
      n -= m;
      left -= m;
      for (; m > 0; --m) {
        const w00 = v128.load(w, 0);
        const w10 = v128.load(w, 16);
        const a00 = v128.load_splat<i16>(p0, 0);
        const a10 = v128.load_splat<i16>(p0, 2);
        s00 = addMasked(s00, w00, a00, w10, a10);
        const a01 = v128.load_splat<i16>(p1, 0);
        const a11 = v128.load_splat<i16>(p1, 2);
        s10 = addMasked(s10, w00, a01, w10, a11);
        const a02 = v128.load_splat<i16>(p2, 0);
        const a12 = v128.load_splat<i16>(p2, 2);
        s20 = addMasked(s20, w00, a02, w10, a12);
        const a03 = v128.load_splat<i16>(p3, 0);
        const a13 = v128.load_splat<i16>(p3, 2);
        s30 = addMasked(s30, w00, a03, w10, a13);
        const w20 = v128.load(w, 32);
        const w30 = v128.load(w, 48);
        const a20 = v128.load_splat<i16>(p0, 4);
        const a30 = v128.load_splat<i16>(p0, 6);
        s00 = addMasked(s00, w20, a20, w30, a30);
        const a21 = v128.load_splat<i16>(p1, 4);
        const a31 = v128.load_splat<i16>(p1, 6);
        s10 = addMasked(s10, w20, a21, w30, a31);
        const a22 = v128.load_splat<i16>(p2, 4);
        const a32 = v128.load_splat<i16>(p2, 6);
        s20 = addMasked(s20, w20, a22, w30, a32);
        const a23 = v128.load_splat<i16>(p3, 4);
        const a33 = v128.load_splat<i16>(p3, 6);
        s30 = addMasked(s30, w20, a23, w30, a33);
        p0 += 8;
        p1 += 8;
        p2 += 8;
        p3 += 8;
        w += 64;
      }
      if (left == 0) {
        addSums(spill, 0, s00, spilled);
        addSums(spill, 32, s10, spilled);
        addSums(spill, 64, s20, spilled);
        addSums(spill, 96, s30, spilled);
        s00 = i16x8.splat(0);
        s10 = i16x8.splat(0);
        s20 = i16x8.splat(0);
        s30 = i16x8.splat(0);
        spilled = true;
        left = chunkOcts;
      }
    }
  }
  const rounding = roundingOf(shift);
  storeLanes16(o0, closeSums(s00, spill, 0, spilled, t0, rounding, shift), lanes);
  storeLanes16(o1, closeSums(s10, spill, 32, spilled, t1, rounding, shift), lanes);
  storeLanes16(o2, closeSums(s20, spill, 64, spilled, t2, rounding, shift), lanes);
  storeLanes16(o3, closeSums(s30, spill, 96, spilled, t3, rounding, shift), lanes);
}

export function conv2dMasks(
  activations: usize, weights: usize, output: usize,
  height: i32, width: i32, channels: i32,
  rows: i32, runOcts: i32, rowBytes: i32, stepY: i32, stepX: i32, shift: i32,
  runBytes: i32, chunkOcts: i32, spill: usize,
): void {
  const blockBytes = rows * runOcts * 128;
  const last = width - 1;
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; x += 4) {
      const x1 = min(x + 1, last);
      const x2 = min(x + 2, last);
      const x3 = min(x + 3, last);
      const a0 = activations + x * stepX;
      const a1 = activations + x1 * stepX;
      const a2 = activations + x2 * stepX;
      const a3 = activations + x3 * stepX;
      const t0 = windowTotal(a0, rows, runBytes, rowBytes);
      const t1 = windowTotal(a1, rows, runBytes, rowBytes);
      const t2 = windowTotal(a2, rows, runBytes, rowBytes);
      const t3 = windowTotal(a3, rows, runBytes, rowBytes);
      let w = weights;
      let c = 0;
      for (; c + 8 < channels; c += 16) {
        tile16(
          a0, a1, a2, a3, w,
          output + (x * channels + c) * 2, output + (x1 * channels + c) * 2,
          output + (x2 * channels + c) * 2, output + (x3 * channels + c) * 2, channels - c,
          rows, runOcts, rowBytes, shift, chunkOcts, spill,
          t0, t1, t2, t3,
        );
        w += blockBytes;
      }
      if (c < channels) {
        tile8(
          a0, a1, a2, a3, w,
          output + (x * channels + c) * 2, output + (x1 * channels + c) * 2,
          output + (x2 * channels + c) * 2, output + (x3 * channels + c) * 2, channels - c,
          rows, runOcts, rowBytes, shift, chunkOcts, spill,
          t0, t1, t2, t3,
        );
      }
    }
    activations += stepY;
    output += width * channels * 2;
  }
}
