/**
 * 2x2 maximum with stride 2 of 16-bit features: out[y, x, c] = max of in[2y..2y+1, 2x..2x+1, c].
 */
import { storeLanes16 } from './lanes';

/** `height` and `width` are those of the output. Reads up to 14 bytes past the input. */
export function maxPool2d(source: usize, target: usize, height: i32, width: i32, channels: i32): void {
  const pixel = <usize>channels << 1;
  const row = <usize>width * 2 * pixel;
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      for (let c = 0; c < channels; c += 8) {
        const at = source + (<usize>c << 1);
        const top = v128.max<i16>(v128.load(at), v128.load(at + pixel));
        const bottom = v128.max<i16>(v128.load(at + row), v128.load(at + row + pixel));
        storeLanes16(target + (<usize>c << 1), v128.max<i16>(top, bottom), channels - c);
      }
      source += pixel << 1;
      target += pixel;
    }
    source += row;
  }
}
