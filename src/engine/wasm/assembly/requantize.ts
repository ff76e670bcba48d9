/**
 * Activations of a convolution: requantized features, image bytes, and the zeros around them.
 *
 *   activation = clamp(sat16(((x * m + 2^14) >> 15) + b) >> s, 0, qmax)
 *
 * q15mulr is that product exactly, because m is never -2^15. The narrow form writes bytes (relaxed kernels multiply
 * bytes), the wide form 16-bit values.
 */
import { storeBytes, storeLanes16 } from './lanes';

/** Eight activations before the clamp at 0. */
// @ts-ignore: decorator
@inline
function scaled(x: v128, multiplier: v128, bias: v128, shift: i32, limit: v128): v128 {
  const product = ASC_FEATURE_RELAXED_SIMD
    ? v128.relaxed_q15mulr<i16>(x, multiplier)
    : v128.q15mulr_sat<i16>(x, multiplier);
  return v128.min<i16>(v128.shr<i16>(v128.add_sat<i16>(product, bias), shift), limit);
}

/** One stored pixel of one part to bytes. `copyRight` and `copyDown` are 0 or the distances to the upsampled copies. */
// @ts-ignore: decorator
@inline
function pixelNarrow(
  source: usize, channels: i32, target: usize, copyRight: usize, copyDown: usize,
  multiplier: usize, bias: usize, shift: i32, limit: v128,
): void {
  let c = 0;
  for (; c + 16 <= channels; c += 16) {
    const offset = <usize>c << 1;
    const values = v128.narrow<u16>(
      scaled(v128.load(source + offset), v128.load(multiplier + offset), v128.load(bias + offset), shift, limit),
      scaled(
        v128.load(source + offset, 16), v128.load(multiplier + offset, 16), v128.load(bias + offset, 16), shift, limit,
      ),
    );
    const at = target + c;
    v128.store(at, values);
    if (copyRight) {
      v128.store(at + copyRight, values);
      v128.store(at + copyDown, values);
      v128.store(at + copyDown + copyRight, values);
    }
  }
  for (; c < channels; c += 8) {
    const offset = <usize>c << 1;
    const lanes = scaled(
      v128.load(source + offset), v128.load(multiplier + offset), v128.load(bias + offset), shift, limit,
    );
    const values = v128.narrow<u16>(lanes, lanes);
    const count = min(channels - c, 8);
    const at = target + c;
    storeBytes(at, values, count);
    if (copyRight) {
      storeBytes(at + copyRight, values, count);
      storeBytes(at + copyDown, values, count);
      storeBytes(at + copyDown + copyRight, values, count);
    }
  }
}

/** The same to 16-bit activations. */
// @ts-ignore: decorator
@inline
function pixelWide(
  source: usize, channels: i32, target: usize, copyRight: usize, copyDown: usize,
  multiplier: usize, bias: usize, shift: i32, limit: v128,
): void {
  const zero = i16x8.splat(0);
  for (let c = 0; c < channels; c += 8) {
    const offset = <usize>c << 1;
    const values = v128.max<i16>(
      scaled(v128.load(source + offset), v128.load(multiplier + offset), v128.load(bias + offset), shift, limit),
      zero,
    );
    const count = channels - c;
    const at = target + offset;
    storeLanes16(at, values, count);
    if (copyRight) {
      storeLanes16(at + copyRight, values, count);
      storeLanes16(at + copyDown, values, count);
      storeLanes16(at + copyDown + copyRight, values, count);
    }
  }
}

/**
 * Requantizes one part, [height, width, channels] of 16-bit features, into its channels of the activation image.
 * `scale` is 1, or 2 for a part that is read upsampled. Strides and addresses are in bytes; `target` is the part's first
 * channel of the first pixel. Reads up to 14 bytes past the part, the multipliers and the biases.
 */
export function requantizeNarrow(
  source: usize, height: i32, width: i32, channels: i32, scale: i32,
  target: usize, pixelBytes: i32, rowBytes: i32,
  multiplier: usize, bias: usize, shift: i32, limit: i32,
): void {
  const limits = i16x8.splat(<i16>limit);
  const right: usize = scale == 2 ? <usize>pixelBytes : 0;
  const down: usize = scale == 2 ? <usize>rowBytes : 0;
  for (let y = 0; y < height; ++y) {
    let at = target + y * scale * rowBytes;
    for (let x = 0; x < width; ++x) {
      pixelNarrow(source, channels, at, right, down, multiplier, bias, shift, limits);
      source += channels << 1;
      at += scale * pixelBytes;
    }
  }
}

/** As requantizeNarrow, writing 16-bit activations. */
export function requantizeWide(
  source: usize, height: i32, width: i32, channels: i32, scale: i32,
  target: usize, pixelBytes: i32, rowBytes: i32,
  multiplier: usize, bias: usize, shift: i32, limit: i32,
): void {
  const limits = i16x8.splat(<i16>limit);
  const right: usize = scale == 2 ? <usize>pixelBytes : 0;
  const down: usize = scale == 2 ? <usize>rowBytes : 0;
  for (let y = 0; y < height; ++y) {
    let at = target + y * scale * rowBytes;
    for (let x = 0; x < width; ++x) {
      pixelWide(source, channels, at, right, down, multiplier, bias, shift, limits);
      source += channels << 1;
      at += scale * pixelBytes;
    }
  }
}

/** Activations of the image: bytes shifted right. `rowValues` = width * channels; `rowBytes` is the target's stride. */
export function imageNarrow(
  source: usize, height: i32, rowValues: i32, target: usize, rowBytes: i32, shift: i32,
): void {
  for (let y = 0; y < height; ++y) {
    let i = 0;
    for (; i + 16 <= rowValues; i += 16) {
      v128.store(target + i, v128.shr<u8>(v128.load(source + i), shift));
    }
    for (; i < rowValues; ++i) store<u8>(target + i, load<u8>(source + i) >> <u8>shift);
    source += rowValues;
    target += rowBytes;
  }
}

/** As imageNarrow, writing 16-bit activations. */
export function imageWide(
  source: usize, height: i32, rowValues: i32, target: usize, rowBytes: i32, shift: i32,
): void {
  for (let y = 0; y < height; ++y) {
    let i = 0;
    for (; i + 8 <= rowValues; i += 8) {
      v128.store(target + (i << 1), v128.shr<u16>(v128.load_ext<u8>(source + i), shift));
    }
    for (; i < rowValues; ++i) {
      store<u16>(target + (i << 1), <u16>(<u32>load<u8>(source + i) >> shift));
    }
    source += rowValues;
    target += rowBytes;
  }
}

/**
 * Zeros around an image of `height` rows inside a buffer of height + 2 * pad rows of `rowBytes`;
 * `sideBytes` is the width of the left and of the right border.
 */
export function clearBorder(target: usize, height: i32, pad: i32, rowBytes: i32, sideBytes: i32): void {
  memory.fill(target, 0, pad * rowBytes + sideBytes);
  let at = target + (pad + 1) * rowBytes - sideBytes;
  for (let y = 0; y < height; ++y) {
    memory.fill(at, 0, sideBytes << 1);
    at += rowBytes;
  }
  memory.fill(target + (pad + height) * rowBytes, 0, pad * rowBytes);
}
