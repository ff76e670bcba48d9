/**
 * The integer crop of models/README.md section 5 (code: ../assembly/crop.ts).
 *
 *   crop[j, i] = mean over taps of the bilinear sample at (x0 + i*ux + j*vx + tap, y0 + i*uy + j*vy + tap)
 *
 * Only the box of the frame that the crop reads is copied to WASM memory; a crop whose box is large is made in quarters, so
 * that a photo of any size needs a few megabytes. All frames, affines and tap counts are supported.
 */
import type { CropAffine, EngineInput } from '../../backend';
import { FIXED_ADDRESSES, type KernelHost } from './kernel';

export type FrameInput = Extract<EngineInput, { kind: 'frame' }>;

/** Boxes above this are split as long as the block has more than one pixel. */
const MAX_BOX_BYTES = 4 * 2 ** 20;
const UNITS = 65536;

/** What the crop needs of its host. */
export interface CropHost extends KernelHost {
  readonly memory: WebAssembly.Memory;
  /** Address of at least `bytes` bytes for a box of the frame; valid until the next call. */
  frameBox(bytes: number): number;
}

/** A block of crop pixels: columns i.., rows j... */
interface Block {
  readonly i: number;
  readonly j: number;
  readonly columns: number;
  readonly rows: number;
}

/** Crops into [height, width, 3] bytes at `target`. The input's sizes must have been checked. */
export function cropToMemory(
  host: CropHost,
  input: FrameInput,
  height: number,
  width: number,
  target: number,
): void {
  const taps = new Taps(input.affine, input.taps);
  new Int32Array(host.memory.buffer, FIXED_ADDRESSES.cropOffsets).set(taps.offsets);
  cropBlock(host, input, taps, { i: 0, j: 0, columns: width, rows: height }, width, target);
}

function cropBlock(
  host: CropHost,
  input: FrameInput,
  taps: Taps,
  block: Block,
  width: number,
  target: number,
): void {
  const { i, j, columns, rows } = block;
  const box = boxOf(input, taps, block);
  const boxBytes = box.width * box.height * 4;
  if (boxBytes > MAX_BOX_BYTES && columns * rows > 1) {
    for (const quarter of quarters(block)) cropBlock(host, input, taps, quarter, width, target);
    return;
  }
  const address = host.frameBox(boxBytes);
  copyBox(input, box, new Uint8Array(host.memory.buffer, address, boxBytes));
  const [x0, y0, ux, uy, vx, vy] = input.affine;
  host.exports.functions.crop(
    address,
    box.width,
    box.height,
    target + (j * width + i) * 3,
    width * 3,
    columns,
    rows,
    x0 + i * ux + j * vx - box.left * UNITS,
    y0 + i * uy + j * vy - box.top * UNITS,
    ux,
    uy,
    vx,
    vy,
    input.taps,
    FIXED_ADDRESSES.cropOffsets,
  );
}

function quarters({ i, j, columns, rows }: Block): readonly Block[] {
  const left = Math.ceil(columns / 2);
  const upper = Math.ceil(rows / 2);
  return [
    { i, j, columns: left, rows: upper },
    { i: i + left, j, columns: columns - left, rows: upper },
    { i, j: j + upper, columns: left, rows: rows - upper },
    { i: i + left, j: j + upper, columns: columns - left, rows: rows - upper },
  ].filter((block) => block.columns > 0 && block.rows > 0);
}

/** A rectangle of frame pixels. */
interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Every frame pixel that the block's samples may read: bilinear corners, clamped to the frame. */
function boxOf(input: FrameInput, taps: Taps, { i, j, columns, rows }: Block): Box {
  const [x0, y0, ux, uy, vx, vy] = input.affine;
  const range = (
    origin: number,
    u: number,
    v: number,
    [least, most]: readonly [number, number],
    last: number,
  ): readonly [number, number] => {
    const ends = [i, i + columns - 1].flatMap((column) =>
      [j, j + rows - 1].map((row) => origin + column * u + row * v),
    );
    const clamp = (value: number): number => Math.max(0, Math.min(last, value));
    return [
      clamp(Math.floor((Math.min(...ends) + least) / UNITS)),
      clamp(Math.floor((Math.max(...ends) + most) / UNITS) + 1),
    ];
  };
  const [left, right] = range(x0, ux, vx, taps.rangeX, input.width - 1);
  const [top, bottom] = range(y0, uy, vy, taps.rangeY, input.height - 1);
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function copyBox(input: FrameInput, box: Box, target: Uint8Array): void {
  const rowBytes = box.width * 4;
  for (let row = 0; row < box.height; row++) {
    const start = ((box.top + row) * input.width + box.left) * 4;
    target.set(input.data.subarray(start, start + rowBytes), row * rowBytes);
  }
}

/** Offsets of the taps from a pixel's centre: tdiv((2a + 1 - n) * step, 2n). */
class Taps {
  /** x and y of each tap along u, then x and y of each tap along v. */
  readonly offsets: Int32Array;
  /** Least and largest sum of an offset along u and one along v. */
  readonly rangeX: readonly [number, number];
  readonly rangeY: readonly [number, number];

  constructor([, , ux, uy, vx, vy]: CropAffine, count: number) {
    const along = (step: number): readonly number[] =>
      Array.from({ length: count }, (_, tap) =>
        Math.trunc(((2 * tap + 1 - count) * step) / (2 * count)),
      );
    const [uxs, uys, vxs, vys] = [along(ux), along(uy), along(vx), along(vy)];
    this.offsets = Int32Array.from([
      ...uxs.flatMap((x, tap) => [x, uys[tap] ?? 0]),
      ...vxs.flatMap((x, tap) => [x, vys[tap] ?? 0]),
    ]);
    this.rangeX = [Math.min(...uxs) + Math.min(...vxs), Math.max(...uxs) + Math.max(...vxs)];
    this.rangeY = [Math.min(...uys) + Math.min(...vys), Math.max(...uys) + Math.max(...vys)];
  }
}
