/**
 * Convolution with 8-bit weights and activations in 0..127 (relaxed SIMD), exact 32-bit sums.
 *
 *   out[y, x, o] = sat16((sum over ky, k of w[o, ky, k] * a[y * stride + ky, x * stride * C + k] + r) >> shift)
 *
 * One i32x4.relaxed_dot_i8x16_i7x16_add multiplies four activations, splat to all lanes, with four weights of four outputs.
 * Its 16-bit inner sums hold 2 * 127 * 127, so no engine saturates them.
 * Weights: blocks of 8 outputs; in a block, per kernel row and per step of 4 activations, 2
 * vectors of 4 quads, one per output. A kernel row is one run of kernel * channels activations, padded with zero weights to a multiple
 * of 8, so up to 7 activations past a run are read and multiplied by zero.
 *
 * `activations` is the first activation under the kernel at output (0, 0); an output row further is `stepY` bytes, an
 * output column `stepX` bytes, a kernel row `rowBytes` bytes. Tiles are four pixels wide; where fewer remain, the last
 * pixel is computed again and stored again.
 */
import { narrowSums, roundingOf, storeLanes16 } from './lanes';

/**
 * sums + dot products of four activations and four weights in each lane. `split` is a constant of the caller: true takes
 * steps that are one instruction each on x86 without VNNI, where the whole dot product is several.
 */
// @ts-ignore: decorator
@inline
function addDots(weights: v128, activations: v128, sums: v128, split: bool): v128 {
  if (split) {
    const pairs = v128.relaxed_dot<i16>(weights, activations);
    return v128.add<i32>(sums, v128.dot<i16>(pairs, i16x8.splat(1)));
  }
  return v128.relaxed_dot_add<i32>(weights, activations, sums);
}

/** Four pixels, up to 8 outputs. */
// @ts-ignore: decorator
@inline
function tile(
  a0: usize, a1: usize, a2: usize, a3: usize, weights: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, lanes: i32,
  rows: i32, runOcts: i32, rowBytes: i32, shift: i32, split: bool,
): void {
  let w = weights;
  let s00 = i32x4.splat(0); let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0); let s11 = i32x4.splat(0);
  let s20 = i32x4.splat(0); let s21 = i32x4.splat(0);
  let s30 = i32x4.splat(0); let s31 = i32x4.splat(0);
  for (let ky = 0; ky < rows; ++ky) {
    let p0 = a0 + ky * rowBytes;
    let p1 = a1 + ky * rowBytes;
    let p2 = a2 + ky * rowBytes;
    let p3 = a3 + ky * rowBytes;
    for (let n = runOcts; n > 0; --n) {
      const w00 = v128.load(w, 0);
      const w01 = v128.load(w, 16);
      const a00 = v128.load_splat<i32>(p0, 0);
      s00 = addDots(w00, a00, s00, split);
      s01 = addDots(w01, a00, s01, split);
      const a01 = v128.load_splat<i32>(p1, 0);
      s10 = addDots(w00, a01, s10, split);
      s11 = addDots(w01, a01, s11, split);
      const a02 = v128.load_splat<i32>(p2, 0);
      s20 = addDots(w00, a02, s20, split);
      s21 = addDots(w01, a02, s21, split);
      const a03 = v128.load_splat<i32>(p3, 0);
      s30 = addDots(w00, a03, s30, split);
      s31 = addDots(w01, a03, s31, split);
      const w10 = v128.load(w, 32);
      const w11 = v128.load(w, 48);
      const a10 = v128.load_splat<i32>(p0, 4);
      s00 = addDots(w10, a10, s00, split);
      s01 = addDots(w11, a10, s01, split);
      const a11 = v128.load_splat<i32>(p1, 4);
      s10 = addDots(w10, a11, s10, split);
      s11 = addDots(w11, a11, s11, split);
      const a12 = v128.load_splat<i32>(p2, 4);
      s20 = addDots(w10, a12, s20, split);
      s21 = addDots(w11, a12, s21, split);
      const a13 = v128.load_splat<i32>(p3, 4);
      s30 = addDots(w10, a13, s30, split);
      s31 = addDots(w11, a13, s31, split);
      p0 += 8;
      p1 += 8;
      p2 += 8;
      p3 += 8;
      w += 64;
    }
  }
  const rounding = roundingOf(shift);
  storeLanes16(o0, narrowSums(s00, s01, rounding, shift), lanes);
  storeLanes16(o1, narrowSums(s10, s11, rounding, shift), lanes);
  storeLanes16(o2, narrowSums(s20, s21, rounding, shift), lanes);
  storeLanes16(o3, narrowSums(s30, s31, rounding, shift), lanes);
}

function tileWhole(
  a0: usize, a1: usize, a2: usize, a3: usize, weights: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, lanes: i32,
  rows: i32, runOcts: i32, rowBytes: i32, shift: i32,
): void {
  tile(a0, a1, a2, a3, weights, o0, o1, o2, o3, lanes, rows, runOcts, rowBytes, shift, false);
}

function tileSplit(
  a0: usize, a1: usize, a2: usize, a3: usize, weights: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, lanes: i32,
  rows: i32, runOcts: i32, rowBytes: i32, shift: i32,
): void {
  tile(a0, a1, a2, a3, weights, o0, o1, o2, o3, lanes, rows, runOcts, rowBytes, shift, true);
}

// @ts-ignore: decorator
@inline
function convolve(
  activations: usize, weights: usize, output: usize,
  height: i32, width: i32, channels: i32,
  rows: i32, runOcts: i32, rowBytes: i32, stepY: i32, stepX: i32, shift: i32, split: bool,
): void {
  const blockBytes = rows * runOcts * 64;
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
      let w = weights;
      let c = 0;
      for (; c < channels; c += 8) {
        const o0 = output + (x * channels + c) * 2;
        const o1 = output + (x1 * channels + c) * 2;
        const o2 = output + (x2 * channels + c) * 2;
        const o3 = output + (x3 * channels + c) * 2;
        if (split) {
          tileSplit(a0, a1, a2, a3, w, o0, o1, o2, o3, channels - c, rows, runOcts, rowBytes, shift);
        } else {
          tileWhole(a0, a1, a2, a3, w, o0, o1, o2, o3, channels - c, rows, runOcts, rowBytes, shift);
        }
        w += blockBytes;
      }
    }
    activations += stepY;
    output += width * channels * 2;
  }
}

/** For engines where the whole dot product is one instruction. */
export function conv2dQuads(
  activations: usize, weights: usize, output: usize,
  height: i32, width: i32, channels: i32,
  rows: i32, runOcts: i32, rowBytes: i32, stepY: i32, stepX: i32, shift: i32,
): void {
  convolve(
    activations, weights, output, height, width, channels, rows, runOcts, rowBytes, stepY, stepX, shift, false,
  );
}

/** For x86 without VNNI. */
export function conv2dSplitQuads(
  activations: usize, weights: usize, output: usize,
  height: i32, width: i32, channels: i32,
  rows: i32, runOcts: i32, rowBytes: i32, stepY: i32, stepX: i32, shift: i32,
): void {
  convolve(
    activations, weights, output, height, width, channels, rows, runOcts, rowBytes, stepY, stepX, shift, true,
  );
}
