/**
 * What the texts of all convolution kernels share: how an invocation walks over its input, where it stores its sums, and the
 * uniforms of both. An invocation sums `channels` output channels of a column of `pixels` pixels. No kernel lives here.
 */
import { roundingOf } from '../../../model/graph';
import type { ConvStep } from '../../planner';
import { WORD_CHANNELS } from '../channel_words';
import { activationPlanes } from './activation_planes';
import {
  channelPairs,
  uniformValues,
  WEIGHT_TEXTURE_SHIFT,
  type OperandForm,
  type StepDispatch,
  type StepKernel,
  type StepPlacement,
} from './kernel';
import { tileCounts, type Tile } from './tile';

/** One way to convolve; its place among the candidates names it. */
export type Conv2dKernel<P> = Omit<StepKernel<ConvStep, P>, 'name'>;

/** What the text of a convolution depends on. */
export interface Conv2dParams {
  /** Kernels of 1, or of 3 with stride 1, are told in the text: all rows of a kernel column then share their loads. */
  readonly kernel: 1 | 3 | 'any';
  readonly tile: Tile;
  /** Invocations of a workgroup. */
  readonly invocations: number;
}

/** The `step` uniform. Bases count words of the features buffer or texels, `plane_step` words of activations. */
export const CONV2D_FIELDS = [
  ...['plane_width', 'plane_step', 'words', 'weight_base', 'kernel', 'stride'],
  ...['output_width', 'output_height', 'output_base', 'output_pairs', 'groups'],
  ...['sum_shift', 'rounding'],
] as const;

export function kernelOf({ node }: ConvStep): Conv2dParams['kernel'] {
  if (node.kernel === 1) return 1;
  return node.kernel === 3 && node.stride === 1 ? 3 : 'any';
}

/** One flat loop over an invocation's input; loops within loops took four times as long on SwiftShader. */
export interface Walk {
  /** WGSL: how many turns the loop has. */
  readonly turns: string;
  /** WGSL: variables that `advance` needs. */
  readonly declare: string;
  /** WGSL: where the words of a turn lie, relative to `at`. */
  readonly rows: readonly string[];
  /** Weight texels of a turn, for one group of four output channels. */
  readonly taps: number;
  /** WGSL: moves `at` to the next turn. */
  readonly advance: string;
}

/** Turns are words and kernel columns, or words and kernel taps column by column, in the order of the weights. */
export function walkOf({ kernel, tile }: Conv2dParams): Walk {
  if (kernel === 'any') {
    return {
      turns: 'words * kernel * kernel',
      declare: 'var ky = 0u; var kx = 0u;',
      rows: range(tile.pixels).map((p) => `${p}u * stride * row`),
      taps: 1,
      advance: `
    let is_column_end = ky + 1u == kernel;
    let is_word_end = is_column_end && kx + 1u == kernel;
    at += select(select(row, 1u - (kernel - 1u) * row, is_column_end), plane_step - (kernel - 1u) * (row + 1u), is_word_end);
    ky = select(ky + 1u, 0u, is_column_end);
    kx = select(select(kx, kx + 1u, is_column_end), 0u, is_word_end);`,
    };
  }
  return {
    turns: `words * ${kernel}u`,
    declare: kernel === 1 ? '' : 'var kx = 0u;',
    rows: range(tile.pixels + kernel - 1).map(
      (r) => `${r}u * ${kernel === 1 ? 'stride * row' : 'row'}`,
    ),
    taps: kernel,
    advance:
      kernel === 1
        ? 'at += plane_step;'
        : `kx = select(kx + 1u, 0u, kx == ${kernel - 1}u);
    at += select(1u, plane_step - ${kernel - 1}u, kx == 0u);`,
  };
}

export type WeightSource = 'texture' | 'buffer';

/** Functions `weights_at(texel)` and `store(y, x, group, sum)`. */
export function conv2dFunctions(source: WeightSource): string {
  const texel = `textureLoad(weights, vec2<u32>(texel & ${2 ** WEIGHT_TEXTURE_SHIFT - 1}u, texel >> ${WEIGHT_TEXTURE_SHIFT}u), 0)`;
  return `
fn weights_at(texel: u32) -> vec4<u32> {
  return ${source === 'texture' ? texel : 'weight_buffer[texel]'};
}

fn store(y: u32, x: u32, group: u32, sum: vec4<i32>) {
  if (y >= u32(step.output_height) || group >= u32(step.groups)) { return; }
  let value = (sum + step.rounding) >> vec4<u32>(u32(step.sum_shift));
  let v = bitcast<vec4<u32>>(clamp(value, vec4<i32>(-32768), vec4<i32>(32767)));
  let plane = u32(step.output_height * step.output_width);
  let at = u32(step.output_base) + group * 2u * plane + y * u32(step.output_width) + x;
  features[at] = (v.x & 0xffffu) | (v.y << 16u);
  if (group * 2u + 1u < u32(step.output_pairs)) {
    features[at + plane] = (v.z & 0xffffu) | (v.w << 16u);
  }
}
`;
}

/** `columns`: columns of pixels of the output. */
export function columnsText({ pixels }: Tile): string {
  return `  let output_width = u32(step.output_width);
  let columns = output_width * ((u32(step.output_height) + ${pixels - 1}u) / ${pixels}u);`;
}

/** `columns` and where the walk begins, for a kernel that `conv2dDispatch` dispatches: from the number of an invocation. */
export function numberedStartText(tile: Tile): string {
  return `${columnsText(tile)}
  let tile = id.x / columns;
  let column = id.x % columns;
${startText(tile)}
  if (group >= u32(step.groups)) { return; }`;
}

/** From `column` (which column of pixels) and `tile` (which output channels): where the walk begins. */
export function startText({ pixels, channels }: Tile): string {
  return `  let group = tile * ${channels / WORD_CHANNELS}u;
  let ox = column % output_width;
  let oy = column / output_width * ${pixels}u;
  let words = u32(step.words);
  let kernel = u32(step.kernel);
  let stride = u32(step.stride);
  let row = u32(step.plane_width);
  let plane_step = u32(step.plane_step);
  let group_texels = words * kernel * kernel;
  var at = oy * stride * row + ox * stride;
  var texel = u32(step.weight_base) + group * group_texels;`;
}

/** Stores `sum(pixel, group)`, an expression, for the whole tile. */
export function storesText(tile: Tile, sum: (pixel: number, group: number) => string): string {
  return eachSum(tile, (p, g) => `  store(oy + ${p}u, ox, group + ${g}u, ${sum(p, g)});`);
}

/** A line for each sum of a tile: four output channels of one pixel. */
export function eachSum(
  { pixels, channels }: Tile,
  line: (pixel: number, group: number) => string,
): string {
  return lines(range(channels / WORD_CHANNELS), (g) => lines(range(pixels), (p) => line(p, g)));
}

/** Dispatch of a kernel that numbers its invocations tile by tile. */
export function conv2dDispatch(
  step: ConvStep,
  { tile, invocations }: Conv2dParams,
  placement: StepPlacement,
  form: OperandForm,
): StepDispatch {
  const [columns, tiles] = tileCounts(step, tile);
  return {
    workgroups: [Math.ceil((columns * tiles) / invocations), 1, 1],
    uniforms: conv2dUniforms(step, placement, form),
  };
}

export function conv2dUniforms(
  step: ConvStep,
  placement: StepPlacement,
  form: OperandForm,
): readonly number[] {
  const { node, outputShape } = step;
  const [height, width, channels] = outputShape;
  const planes = activationPlanes(step, form);
  return uniformValues(CONV2D_FIELDS, {
    plane_width: planes.width,
    plane_step: planes.width * planes.height * planes.bits,
    words: planes.words,
    weight_base: placement.weightBase,
    kernel: node.kernel,
    stride: node.stride,
    output_width: width,
    output_height: height,
    output_base: placement.outputBase,
    output_pairs: channelPairs(channels),
    groups: Math.ceil(channels / WORD_CHANNELS),
    sum_shift: node.shift,
    rounding: roundingOf(node.shift),
  });
}

export function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

export function lines(items: readonly number[], line: (item: number) => string): string {
  return items.map(line).join('\n');
}
