/**
 * Tiles: how many output pixels and channels an invocation of a convolution sums, and which of them suit a step on an
 * adapter. Larger ones load less for each product, smaller ones keep more of a GPU busy.
 */
import type { WebgpuTile } from '../../backend';
import type { ConvStep } from '../../planner';
import type { DeviceTraits } from './kernel';

export interface Tile {
  /** Output pixels, one below the other. */
  readonly pixels: number;
  /** Output channels, a multiple of four. */
  readonly channels: number;
}

/** By name, as pixels x channels; largest first. */
export const TILES = {
  '4x8': { pixels: 4, channels: 8 },
  '8x4': { pixels: 8, channels: 4 },
  '4x4': { pixels: 4, channels: 4 },
  '2x4': { pixels: 2, channels: 4 },
  '1x4': { pixels: 1, channels: 4 },
} as const satisfies Readonly<Record<WebgpuTile, Tile>>;

export const TILE_NAMES = Object.keys(TILES) as readonly WebgpuTile[];

/** Measured on SwiftShader (ARCHITECTURE.md). */
const SOFTWARE_TILE: WebgpuTile = '4x4';
/** Invocations that keep a GPU busy. WebGPU does not tell: about what an integrated one holds at a time. */
const BUSY_INVOCATIONS = 4096;

/** All tiles, the one expected to be best for the step first. */
export function tilesFor(step: ConvStep, { isSoftware }: DeviceTraits): readonly WebgpuTile[] {
  const best = isSoftware ? SOFTWARE_TILE : largestBusy(step);
  return [best, ...TILE_NAMES.filter((name) => name !== best)];
}

/** The largest tile with which the step still has work for a whole GPU, else the smallest. */
function largestBusy(step: ConvStep): WebgpuTile {
  const invocations = (tile: Tile): number => {
    const [columns, tiles] = tileCounts(step, tile);
    return columns * tiles;
  };
  return TILE_NAMES.find((name) => invocations(TILES[name]) >= BUSY_INVOCATIONS) ?? '1x4';
}

/** Columns of pixels, and tiles of output channels. */
export function tileCounts(
  { outputShape: [height, width, channels] }: ConvStep,
  tile: Tile,
): readonly [columns: number, tiles: number] {
  return [width * Math.ceil(height / tile.pixels), Math.ceil(channels / tile.channels)];
}
