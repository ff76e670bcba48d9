/**
 * Where a model's features, norms and weights lie in the GPU's buffers and textures. Arithmetic on offsets only: it makes
 * no GPU object, so all of it can be checked without one.
 */
import { BitmarksError } from '../../errors';
import type { Model, NormTensor, WeightTensor } from '../../model/types';
import { layOutArena, type ArenaLayout } from '../arena_layout';
import type { ConvStep, Plan, PlanStep } from '../planner';
import { channelWords, WORD_CHANNELS, type ChannelWord } from './channel_words';
import { activationWords } from './kernels/activation_planes';
import { channelPairs, type OperandForm, type StepPlacement } from './kernels/kernel';
import { texelCount, type UnpackParams } from './kernels/unpack_weights';

export interface ModelLayout {
  /** 32-bit words of the features buffer. */
  readonly featureWords: number;
  /** 32-bit words of the largest step's activations. */
  readonly activationWords: number;
  /** First word of the plan's output. */
  readonly outputBase: number;
  /** One per plan step. */
  readonly placements: readonly StepPlacement[];
  /** Two vec4 per input word: base, words to the second pair, width, upsample; four times (bias << 16) | multiplier. */
  readonly table: Uint32Array<ArrayBuffer>;
  /** Each weight tensor once per way in which it is read. */
  readonly unpacks: readonly UnpackParams[];
  /** Word map of unpack_weights. */
  readonly wordMap: Uint32Array<ArrayBuffer>;
  /** All packed weights; each tensor starts on a word. */
  readonly packed: Uint8Array<ArrayBuffer>;
  /** Texels of the unpacked weights. */
  readonly texels: number;
}

/** `forms`: how each step's operands lie; steps without one read features. */
export function layoutModel(
  model: Model,
  plan: Plan,
  forms: readonly (OperandForm | null)[],
): ModelLayout {
  const features = placeFeatures(plan);
  const featureBase = (tensor: number): number => at(features.offsets, tensor, 'tensor');
  const weights = new WeightLayout(model);
  const table: number[] = [];
  const placements = plan.steps.map((step, index): StepPlacement => {
    const form = forms[index] ?? null;
    const bases = { featureBase, outputBase: featureBase(index), tableBase: 0, normShift: 0 };
    if (step.kind !== 'conv2d' || form === null) return { ...bases, weightBase: 0 };
    const words = channelWords(step);
    const weightBase = weights.place(step, words, form);
    const tableBase = table.length / 4;
    if (step.source.kind === 'image') return { ...bases, tableBase, weightBase };
    const norm = find(model.norms, step.source.norm, step.name);
    for (const word of words) table.push(...tableEntry(step.source.parts, word, norm, featureBase));
    return { ...bases, tableBase, weightBase, normShift: norm.shift };
  });
  return {
    featureWords: features.size,
    activationWords: Math.max(
      ...plan.steps.map((step, index) =>
        step.kind === 'conv2d' ? activationWords(step, forms[index] ?? 'bytes') : 0,
      ),
    ),
    outputBase: featureBase(plan.tensors.length - 1),
    placements,
    table: Uint32Array.from(table),
    ...weights.result(),
  };
}

/** The plan's tensors in an arena of words: other sizes than those of the plan, as odd channels are padded to pairs. */
function placeFeatures(plan: Plan): ArenaLayout {
  const blocks = plan.tensors.map(({ shape: [height, width, channels], ...life }) => ({
    ...life,
    size: height * width * channelPairs(channels),
  }));
  return layOutArena(blocks, 1);
}

function tableEntry(
  parts: Extract<ConvStep['source'], { kind: 'parts' }>['parts'],
  word: ChannelWord,
  norm: NormTensor,
  featureBase: (tensor: number) => number,
): readonly number[] {
  const part = at(parts, word.part, 'part');
  const [height, width, channels] = part.shape;
  const plane = height * width;
  const pair = word.wordInPart * (WORD_CHANNELS / 2);
  // The second pair of a word may not exist; its weights are 0, but a load must stay within the part.
  const next = pair + 1 < channelPairs(channels) ? plane : 0;
  const norms = Array.from({ length: WORD_CHANNELS }, (_, index) => {
    if (index >= word.channels) return 0;
    const channel = word.firstChannel + index;
    const multiplier = norm.multiplier[channel] ?? 0;
    const bias = norm.bias[channel] ?? 0;
    return ((bias << 16) | (multiplier & 0xffff)) >>> 0;
  });
  return [featureBase(part.tensor) + pair * plane, next, width, part.upsample ? 1 : 0, ...norms];
}

/** Collects the weights of convolutions; equal weights read in equal words are placed once. */
class WeightLayout {
  private readonly model: Model;
  private readonly placed = new Map<string, UnpackParams>();
  private readonly packedBases = new Map<WeightTensor, number>();
  private readonly wordMap: number[] = [];
  private packedWords = 0;
  private texels = 0;

  constructor(model: Model) {
    this.model = model;
  }

  /** First texel of the step's weights. */
  place(step: ConvStep, words: readonly ChannelWord[], form: OperandForm): number {
    const name = step.node.weight;
    const key = JSON.stringify([name, form, words.map(({ channels }) => channels)]);
    const known = this.placed.get(key);
    if (known !== undefined) return known.texelBase;
    const weight = find(this.model.weights, name, step.name);
    const params: UnpackParams = {
      weight,
      packedBase: this.packedBase(weight),
      texelBase: this.texels,
      mapBase: this.wordMap.length,
      words: words.length,
      form,
    };
    for (const word of words) this.wordMap.push((word.channels << 16) | word.firstChannel);
    this.texels += texelCount(weight, words.length, form);
    this.placed.set(key, params);
    return params.texelBase;
  }

  result(): Pick<ModelLayout, 'unpacks' | 'wordMap' | 'packed' | 'texels'> {
    const packed = new Uint8Array(this.packedWords * 4);
    for (const [weight, base] of this.packedBases) packed.set(weight.bytes, base * 4);
    return {
      unpacks: [...this.placed.values()],
      wordMap: Uint32Array.from(this.wordMap),
      packed,
      texels: this.texels,
    };
  }

  private packedBase(weight: WeightTensor): number {
    const known = this.packedBases.get(weight);
    if (known !== undefined) return known;
    const base = this.packedWords;
    this.packedBases.set(weight, base);
    this.packedWords += Math.ceil(weight.bytes.length / 4);
    return base;
  }
}

function find<T>(tensors: ReadonlyMap<string, T>, name: string, step: PlanStep['name']): T {
  const tensor = tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new BitmarksError(
    'backend/failed',
    `step ${JSON.stringify(step)} needs the tensor ${JSON.stringify(name)}, which the model does not have`,
  );
}

function at<T>(list: readonly T[], index: number, what: string): T {
  const item = list[index];
  if (item !== undefined) return item;
  throw new BitmarksError(
    'backend/failed',
    `the plan names ${what} ${index}, expected one of 0 to ${list.length - 1}`,
  );
}
