/**
 * Convolution with 1-bit weights and activations in 0..127 by look-up (SIMD128).
 *
 *   out[y, x, o] = sat16((sum over ky, k of w[o, ky, k] * a[y * stride + ky, x * stride * C + k] + r) >> shift)
 *
 * Four activations have 16 sums of a part of them; the signs of four weights are the index of the part that has weight 1, and one
 * swizzle looks up sums for 16 outputs. Sums must be bytes, so activations are split: those of the low four bits are at most 60,
 * those of the high three bits at most 28. Bytes are added for 16 activations, then as low + 16 * high in 16 bits
 * for 32 times that (at most 65,024), then in 32 bits. The result is twice the sum where the weight is 1, less the sum of all.
 * Weights: tiles of 4 or 5 blocks (1 where fewer remain, see tileBlocks) of 16 outputs; in a tile, per kernel row and per 4 activations, a
 * vector of 16 indices for each block. A kernel row is one run of kernel * channels activations, padded with weights of index bit 0 to a
 * multiple of 8, so up to 7 activations past a run are read and not counted.
 *
 * `runBytes` is the length of a run without padding. `activations` is the first activation under the kernel at output (0, 0); an output row
 * further is `stepY` bytes, an output column `stepX` bytes, a kernel row `rowBytes` bytes. `spill` has room for 480 bytes.
 */
import { narrowSums, roundingOf, storeLanes16 } from './lanes';
import { windowTotal } from './window_total';

/** Groups of eight activations whose sums of bytes fit. */
const FLUSH_OCTS = 2;
/** Sums of 2,032 that fit 16 bits. */
const MOST_FLUSHES = 32;

/** Of four activations, four bytes each: the sums of low bits of the first two, of the last two, and the same of high bits. */
// @ts-ignore: decorator
@inline
function pairSums(activations: usize): v128 {
  const four = v128.load_splat<u32>(activations);
  const low = v128.and(four, i32x4(0x0f0f0f0f, 0, 0, 0));
  const high = v128.shr<u16>(v128.and(four, i32x4(0, <i32>0xf0f0f0f0, 0, 0)), 4);
  const split = v128.or(low, high);
  return v128.add<u8>(
    v128.swizzle(split, i8x16(-128, 0, -128, 0, -128, 2, -128, 2, -128, 4, -128, 4, -128, 6, -128, 6)),
    v128.swizzle(split, i8x16(-128, -128, 1, 1, -128, -128, 3, 3, -128, -128, 5, 5, -128, -128, 7, 7)),
  );
}

// @ts-ignore: decorator
@inline
function lowTable(pairs: v128): v128 {
  return v128.add<u8>(
    v128.swizzle(pairs, i8x16(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)),
    v128.swizzle(pairs, i8x16(4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7)),
  );
}

// @ts-ignore: decorator
@inline
function highTable(pairs: v128): v128 {
  return v128.add<u8>(
    v128.swizzle(pairs, i8x16(8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11)),
    v128.swizzle(pairs, i8x16(12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15)),
  );
}

/** Adds low + 16 * high of 16 outputs to sums of 16 bits. */
// @ts-ignore: decorator
@inline
function addSums(sums: usize, low: v128, high: v128): void {
  const first = v128.add<u16>(v128.extend_low<u8>(low), v128.shl<u16>(v128.extend_low<u8>(high), 4));
  const second = v128.add<u16>(v128.extend_high<u8>(low), v128.shl<u16>(v128.extend_high<u8>(high), 4));
  v128.store(sums, v128.add<u16>(v128.load(sums), first));
  v128.store(sums, v128.add<u16>(v128.load(sums, 16), second), 16);
}

/** Moves vectors of 16-bit sums into those of 32 bits. */
function drain(sums: usize, wide: usize, vectors: i32): void {
  for (; vectors > 0; --vectors) {
    const values = v128.load(sums);
    v128.store(wide, v128.add<i32>(v128.load(wide), v128.extend_low<u16>(values)));
    v128.store(wide, v128.add<i32>(v128.load(wide, 16), v128.extend_high<u16>(values)), 16);
    v128.store(sums, i32x4.splat(0));
    sums += 16;
    wide += 32;
  }
}

/** Stores the outputs of a pixel; `wide` are 32-bit sums where the weight is 1. */
function storeSums(wide: usize, output: usize, lanes: i32, total: i32, shift: i32): void {
  const totals = i32x4.splat(total);
  const rounding = roundingOf(shift);
  for (; lanes > 0; lanes -= 8) {
    const low = v128.sub<i32>(v128.shl<i32>(v128.load(wide), 1), totals);
    const high = v128.sub<i32>(v128.shl<i32>(v128.load(wide, 16), 1), totals);
    storeLanes16(output, narrowSums(low, high, rounding, shift), lanes);
    wide += 32;
    output += 16;
  }
}

/** Blocks of the next tile where so many are left; the host lays weights out by the same rule. */
function tileBlocks(blocks: i32): i32 {
  if (blocks < 4) return 1;
  return (blocks & 3) == 0 ? 4 : min(blocks, 5);
}

/** One pixel, 5 blocks of 16 outputs. */
function tile5(a: usize, weights: usize, rows: i32, runOcts: i32, rowBytes: i32, sums: usize): void {
  let w = weights;
  let flushes = 0;
  memory.fill(sums, 0, 480);
  for (let ky = 0; ky < rows; ++ky) {
    let p = a + ky * rowBytes;
    for (let n = runOcts; n > 0; n -= FLUSH_OCTS) {
      let l0 = i8x16.splat(0); let h0 = i8x16.splat(0);
      let l1 = i8x16.splat(0); let h1 = i8x16.splat(0);
      let l2 = i8x16.splat(0); let h2 = i8x16.splat(0);
      let l3 = i8x16.splat(0); let h3 = i8x16.splat(0);
      let l4 = i8x16.splat(0); let h4 = i8x16.splat(0);
      for (let m = min(n, FLUSH_OCTS) << 1; m > 0; --m) {
        const pairs = pairSums(p);
        const low = lowTable(pairs);
        const high = highTable(pairs);
        const w0 = v128.load(w, 0);
        l0 = v128.add<u8>(l0, v128.swizzle(low, w0));
        h0 = v128.add<u8>(h0, v128.swizzle(high, w0));
        const w1 = v128.load(w, 16);
        l1 = v128.add<u8>(l1, v128.swizzle(low, w1));
        h1 = v128.add<u8>(h1, v128.swizzle(high, w1));
        const w2 = v128.load(w, 32);
        l2 = v128.add<u8>(l2, v128.swizzle(low, w2));
        h2 = v128.add<u8>(h2, v128.swizzle(high, w2));
        const w3 = v128.load(w, 48);
        l3 = v128.add<u8>(l3, v128.swizzle(low, w3));
        h3 = v128.add<u8>(h3, v128.swizzle(high, w3));
        const w4 = v128.load(w, 64);
        l4 = v128.add<u8>(l4, v128.swizzle(low, w4));
        h4 = v128.add<u8>(h4, v128.swizzle(high, w4));
        p += 4;
        w += 80;
      }
      addSums(sums + 0, l0, h0);
      addSums(sums + 32, l1, h1);
      addSums(sums + 64, l2, h2);
      addSums(sums + 96, l3, h3);
      addSums(sums + 128, l4, h4);
      if (++flushes == MOST_FLUSHES) {
        drain(sums, sums + 160, 10);
        flushes = 0;
      }
    }
  }
  drain(sums, sums + 160, 10);
}

/** One pixel, 4 blocks of 16 outputs. */
function tile4(a: usize, weights: usize, rows: i32, runOcts: i32, rowBytes: i32, sums: usize): void {
  let w = weights;
  let flushes = 0;
  memory.fill(sums, 0, 384);
  for (let ky = 0; ky < rows; ++ky) {
    let p = a + ky * rowBytes;
    for (let n = runOcts; n > 0; n -= FLUSH_OCTS) {
      let l0 = i8x16.splat(0); let h0 = i8x16.splat(0);
      let l1 = i8x16.splat(0); let h1 = i8x16.splat(0);
      let l2 = i8x16.splat(0); let h2 = i8x16.splat(0);
      let l3 = i8x16.splat(0); let h3 = i8x16.splat(0);
      for (let m = min(n, FLUSH_OCTS) << 1; m > 0; --m) {
        const pairs = pairSums(p);
        const low = lowTable(pairs);
        const high = highTable(pairs);
        const w0 = v128.load(w, 0);
        l0 = v128.add<u8>(l0, v128.swizzle(low, w0));
        h0 = v128.add<u8>(h0, v128.swizzle(high, w0));
        const w1 = v128.load(w, 16);
        l1 = v128.add<u8>(l1, v128.swizzle(low, w1));
        h1 = v128.add<u8>(h1, v128.swizzle(high, w1));
        const w2 = v128.load(w, 32);
        l2 = v128.add<u8>(l2, v128.swizzle(low, w2));
        h2 = v128.add<u8>(h2, v128.swizzle(high, w2));
        const w3 = v128.load(w, 48);
        l3 = v128.add<u8>(l3, v128.swizzle(low, w3));
        h3 = v128.add<u8>(h3, v128.swizzle(high, w3));
        p += 4;
        w += 64;
      }
      addSums(sums + 0, l0, h0);
      addSums(sums + 32, l1, h1);
      addSums(sums + 64, l2, h2);
      addSums(sums + 96, l3, h3);
      if (++flushes == MOST_FLUSHES) {
        drain(sums, sums + 128, 8);
        flushes = 0;
      }
    }
  }
  drain(sums, sums + 128, 8);
}

/** One pixel, 1 block of 16 outputs. */
function tile1(a: usize, weights: usize, rows: i32, runOcts: i32, rowBytes: i32, sums: usize): void {
  let w = weights;
  let flushes = 0;
  memory.fill(sums, 0, 96);
  for (let ky = 0; ky < rows; ++ky) {
    let p = a + ky * rowBytes;
    for (let n = runOcts; n > 0; n -= FLUSH_OCTS) {
      let l0 = i8x16.splat(0); let h0 = i8x16.splat(0);
      for (let m = min(n, FLUSH_OCTS) << 1; m > 0; --m) {
        const pairs = pairSums(p);
        const low = lowTable(pairs);
        const high = highTable(pairs);
        const w0 = v128.load(w, 0);
        l0 = v128.add<u8>(l0, v128.swizzle(low, w0));
        h0 = v128.add<u8>(h0, v128.swizzle(high, w0));
        p += 4;
        w += 16;
      }
      addSums(sums + 0, l0, h0);
      if (++flushes == MOST_FLUSHES) {
        drain(sums, sums + 32, 2);
        flushes = 0;
      }
    }
  }
  drain(sums, sums + 32, 2);
}

export function conv2dLut(
  activations: usize, weights: usize, output: usize,
  height: i32, width: i32, channels: i32,
  rows: i32, runOcts: i32, rowBytes: i32, stepY: i32, stepX: i32, shift: i32,
  runBytes: i32, spill: usize,
): void {
  const blockBytes = rows * runOcts * 32;
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      const a = activations + x * stepX;
      const total = windowTotal(a, rows, runBytes, rowBytes);
      let w = weights;
      for (let c = 0; c < channels; ) {
        const blocks = tileBlocks((channels - c + 15) >> 4);
        if (blocks == 5) tile5(a, w, rows, runOcts, rowBytes, spill);
        else if (blocks == 4) tile4(a, w, rows, runOcts, rowBytes, spill);
        else tile1(a, w, rows, runOcts, rowBytes, spill);
        const lanes = min(channels - c, blocks << 4);
        storeSums(spill + blocks * 32, output + c * 2, lanes, total, shift);
        c += blocks << 4;
        w += blocks * blockBytes;
      }
      output += channels * 2;
    }
    activations += stepY;
  }
}
