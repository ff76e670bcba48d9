/**
 * The integer bilinear crop of models/README.md section 5, all four channels of a pixel in one vector.
 *
 * The positions are relative to a box of the frame that holds every clamped corner, so clamping to the box equals clamping
 * to the frame. The host makes the tap offsets (the tdiv terms), because they may leave 32 bits before the division.
 */

// @ts-ignore: decorator
@inline
function clampTo(value: i32, last: i32): i32 {
  return min(max(value, 0), last);
}

/**
 * Writes `rows` x `columns` RGB pixels at `target`, rows `rowBytes` apart. `box` holds RGBA pixels, boxWidth x boxHeight;
 * (x0, y0) is the centre of the first pixel in 1/65536 of a box pixel. `offsets`: 4 * taps 32-bit values: x and y of each
 * tap along u, then x and y of each tap along v.
 */
export function crop(
  box: usize, boxWidth: i32, boxHeight: i32,
  target: usize, rowBytes: i32, columns: i32, rows: i32,
  x0: i32, y0: i32, ux: i32, uy: i32, vx: i32, vy: i32,
  taps: i32, offsets: usize,
): void {
  const lastX = boxWidth - 1;
  const lastY = boxHeight - 1;
  const half = i32x4.splat(32768);
  const count = taps * taps;
  const alongV = offsets + (<usize>taps << 3);
  for (let j = 0; j < rows; ++j) {
    let xc = x0 + j * vx;
    let yc = y0 + j * vy;
    let out = target + j * rowBytes;
    for (let i = 0; i < columns; ++i) {
      let sum = i32x4.splat(0);
      for (let a = 0; a < taps; ++a) {
        const xa = xc + load<i32>(offsets + (<usize>a << 3));
        const ya = yc + load<i32>(offsets + (<usize>a << 3), 4);
        for (let b = 0; b < taps; ++b) {
          const x = xa + load<i32>(alongV + (<usize>b << 3));
          const y = ya + load<i32>(alongV + (<usize>b << 3), 4);
          const left = clampTo(x >> 16, lastX) << 2;
          const right = clampTo((x >> 16) + 1, lastX) << 2;
          const top = box + clampTo(y >> 16, lastY) * (boxWidth << 2);
          const bottom = box + clampTo((y >> 16) + 1, lastY) * (boxWidth << 2);
          const fx = (x >> 8) & 255;
          const fy = (y >> 8) & 255;
          // [top pixel, bottom pixel] of each side as u16 lanes; their mix is at most 255 * 256.
          const leftPair = v128.extend_low<u8>(
            v128.load_lane<u32>(bottom + left, v128.load_zero<u32>(top + left), 1),
          );
          const rightPair = v128.extend_low<u8>(
            v128.load_lane<u32>(bottom + right, v128.load_zero<u32>(top + right), 1),
          );
          const mixed = v128.add<u16>(
            v128.mul<u16>(leftPair, i16x8.splat(<i16>(256 - fx))),
            v128.mul<u16>(rightPair, i16x8.splat(<i16>fx)),
          );
          const value = v128.add<i32>(
            v128.extmul_low<u16>(mixed, i16x8.splat(<i16>(256 - fy))),
            v128.extmul_high<u16>(mixed, i16x8.splat(<i16>fy)),
          );
          sum = v128.add<i32>(sum, v128.shr<u32>(v128.add<i32>(value, half), 16));
        }
      }
      let r = v128.extract_lane<i32>(sum, 0);
      let g = v128.extract_lane<i32>(sum, 1);
      let b = v128.extract_lane<i32>(sum, 2);
      if (count > 1) {
        const rounding = count >> 1;
        r = (r + rounding) / count;
        g = (g + rounding) / count;
        b = (b + rounding) / count;
      }
      store<u8>(out, <u8>r);
      store<u8>(out, <u8>g, 1);
      store<u8>(out, <u8>b, 2);
      out += 3;
      xc += ux;
      yc += uy;
    }
  }
}
