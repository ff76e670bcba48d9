/**
 * The sum of what lies under a kernel, which convolutions by parts of it need.
 */

/** Sum of all activations under the kernel, each once: `rows` runs of `runBytes`. */
export function windowTotal(activations: usize, rows: i32, runBytes: i32, rowBytes: i32): i32 {
  let sums = i32x4.splat(0);
  for (let ky = 0; ky < rows; ++ky) {
    let at = activations + ky * rowBytes;
    let left = runBytes;
    for (; left >= 16; left -= 16) {
      sums = v128.add<i32>(sums, v128.extadd_pairwise<u16>(v128.extadd_pairwise<u8>(v128.load(at))));
      at += 16;
    }
    for (; left > 0; left -= 8) {
      const bytes = left >= 8 ? load<u64>(at) : load<u64>(at) & ((<u64>1 << (left << 3)) - 1);
      sums = v128.add<i32>(
        sums, v128.extadd_pairwise<u16>(v128.extadd_pairwise<u8>(v128.replace_lane<u64>(i64x2.splat(0), 0, bytes))),
      );
      at += 8;
    }
  }
  return (
    v128.extract_lane<i32>(sums, 0) + v128.extract_lane<i32>(sums, 1) +
    v128.extract_lane<i32>(sums, 2) + v128.extract_lane<i32>(sums, 3)
  );
}
