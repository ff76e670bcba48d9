/**
 * A pack's graph as ONNX, in float32 and in int8, for runtimes that know nothing of Bitmarks. Both take the image as float32
 * [1, 3, h, w] of 0..255 and give the heatmaps as float32 [1, c, h, w] in units of the integer ones. Like the float graph on
 * tfjs (src/engine/tfjs/float_graph.ts), they leave rounding out: floor((v) / 2^s) is the affine step that it is on average.
 *
 * int8 is what a static quantizer makes of such a network: QLinearConv with per-tensor scales for features, read from
 * calibration. A requantization is a dequantization with a scale per channel, an addition, and a quantization whose saturation
 * is the clip, at the finest scale that eight bits have.
 */
import { planGraph } from '../../src/engine/planner';
import { maxActivation } from '../../src/model/graph';
import type {
  Conv2dNode,
  GraphNode,
  Model,
  NormTensor,
  RequantizeNode,
} from '../../src/model/types';
import { unpackWeights } from '../../src/model/weights';
import { OnnxGraph } from './nodes';

export const ONNX_INPUT = 'pixels';

/** Largest magnitude of each convolution's output by node name, from `calibrate`. */
export type Ranges = ReadonlyMap<string, number>;

const ZERO_POINT = 128;
const LEVELS = 255;

/** Names of the convolutions that the last output needs, the output itself the last. */
export function convolutionNames(model: Model): readonly string[] {
  return planGraph(model).steps.flatMap((step) => (step.kind === 'conv2d' ? [step.name] : []));
}

/** float32. `outputs`: names of convolutions; by default the last heatmap. */
export function exportFloat32(model: Model, outputs = lastOutput(model)): Uint8Array {
  return new FloatExport(model).encode(outputs);
}

/** int8. Throws for a convolution without a range. */
export function exportInt8(model: Model, ranges: Ranges): Uint8Array {
  return new Int8Export(model, ranges).encode();
}

function lastOutput(model: Model): readonly string[] {
  return [planGraph(model).output];
}

/** Walks the nodes that the outputs need; the two forms differ in convolution, requantization and the image. */
abstract class Export {
  protected readonly graph = new OnnxGraph();
  protected readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }

  protected write(outputs: readonly string[]): void {
    const { input } = this.model.graph;
    this.image(this.centered(), input.name, input.shift);
    for (const node of neededNodes(this.model, outputs)) {
      const [first] = node.inputs;
      if (node.op === 'conv2d') this.convolution(node, first);
      else if (node.op === 'requantize') this.requantization(node, this.joined(node, first));
      else this.resize(node.op, first, node.output);
    }
  }

  protected file(outputs: Readonly<Record<string, string>>): Uint8Array {
    const { input, shapes } = this.model.graph;
    const nchw = (name: string): number[] => {
      const [height, width, channels] = shapes.get(name) ?? [0, 0, 0];
      return [1, channels, height, width];
    };
    return this.graph.encode(
      this.model.manifest.name,
      { [ONNX_INPUT]: nchw(input.name) },
      Object.fromEntries(Object.entries(outputs).map(([name, of]) => [name, nchw(of)])),
    );
  }

  protected weightOf(node: Conv2dNode): { values: Int8Array; dims: number[] } {
    const weight = this.model.weights.get(node.weight);
    if (weight === undefined) throw new Error(`no weight ${node.weight}`);
    const { outChannels, kernel, inChannels } = weight;
    const from = unpackWeights(weight);
    const values = new Int8Array(from.length);
    const area = kernel * kernel;
    for (let o = 0; o < outChannels; o += 1)
      for (let place = 0; place < area; place += 1)
        for (let i = 0; i < inChannels; i += 1)
          values[(o * inChannels + i) * area + place] =
            from[(o * area + place) * inChannels + i] ?? 0;
    return { values, dims: [outChannels, inChannels, kernel, kernel] };
  }

  protected normOf(node: RequantizeNode): NormTensor & { top: number; offsets: Float32Array } {
    const norm = this.model.norms.get(node.norm);
    if (norm === undefined) throw new Error(`no norm ${node.norm}`);
    const { multiplier, bias, shift } = norm;
    const offsets = Float32Array.from(bias, (b) => (b - (2 ** shift - 1) / 2) / 2 ** shift);
    const top = Math.min(maxActivation(node.inputBits), 32767 / 2 ** shift);
    return { multiplier, bias, shift, top, offsets };
  }

  protected convolutionAttributes({ kernel, stride }: Conv2dNode): Record<string, number[]> {
    const pad = (kernel - 1) / 2;
    return {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    };
  }

  protected scalar(name: string, value: number): string {
    return this.graph.constant(name, Float32Array.of(value), []);
  }

  protected abstract image(centered: string, output: string, shift: number): void;
  protected abstract convolution(node: Conv2dNode, input: string): void;
  protected abstract requantization(node: RequantizeNode, joined: string): void;

  private centered(): string {
    const half = this.scalar('image.half', (1 - 2 ** this.model.graph.input.shift) / 2);
    return this.graph.node('Add', [ONNX_INPUT, half], 'image.centered');
  }

  private joined(node: RequantizeNode, first: string): string {
    if (node.inputs.length === 1) return first;
    return this.graph.node('Concat', node.inputs, `${node.output}.parts`, { axis: 1 });
  }

  private resize(op: 'max_pool2d' | 'upsample2d', input: string, output: string): void {
    if (op === 'max_pool2d') {
      this.graph.node('MaxPool', [input], output, { kernel_shape: [2, 2], strides: [2, 2] });
      return;
    }
    const scales = this.graph.constant(`${output}.scales`, Float32Array.of(1, 1, 2, 2), [4]);
    this.graph.node('Resize', [input, '', scales], output, {
      mode: 'nearest',
      nearest_mode: 'floor',
      coordinate_transformation_mode: 'asymmetric',
    });
  }
}

class FloatExport extends Export {
  encode(outputs: readonly string[]): Uint8Array {
    this.write(outputs);
    return this.file(Object.fromEntries(outputs.map((name) => [name, name])));
  }

  protected override image(centered: string, output: string, shift: number): void {
    this.graph.node('Mul', [centered, this.scalar('image.unit', 2 ** -shift)], output);
  }

  protected override convolution(node: Conv2dNode, input: string): void {
    const { values, dims } = this.weightOf(node);
    const floats = Float32Array.from(values, (value) => value * 2 ** -node.shift);
    const weight = this.graph.constant(`${node.output}.weight`, floats, dims);
    this.graph.node('Conv', [input, weight], node.output, this.convolutionAttributes(node));
  }

  protected override requantization(node: RequantizeNode, joined: string): void {
    const { output } = node;
    const { multiplier, shift, offsets, top } = this.normOf(node);
    const dims = [1, offsets.length, 1, 1];
    const scales = Float32Array.from(multiplier, (m) => m / 32768 / 2 ** shift);
    const scale = this.graph.constant(`${output}.scale`, scales, dims);
    const offset = this.graph.constant(`${output}.offset`, offsets, dims);
    const scaled = this.graph.node('Mul', [joined, scale], `${output}.scaled`);
    const moved = this.graph.node('Add', [scaled, offset], `${output}.moved`);
    const limits = [this.scalar(`${output}.zero`, 0), this.scalar(`${output}.top`, top)];
    this.graph.node('Clip', [moved, ...limits], output);
  }
}

class Int8Export extends Export {
  readonly #ranges: Ranges;
  /** Scale of each eight-bit tensor by name; features have the zero point 128, activations 0. */
  readonly #scales = new Map<string, number>();

  constructor(model: Model, ranges: Ranges) {
    super(model);
    this.#ranges = ranges;
  }

  encode(): Uint8Array {
    const [output = ''] = lastOutput(this.model);
    this.write([output]);
    const scale = this.scalar('heatmap.scale', this.#scaleOf(output));
    const zero = this.#byte('heatmap.zero', ZERO_POINT);
    this.graph.node('DequantizeLinear', [output, scale, zero], 'heatmap');
    return this.file({ heatmap: output });
  }

  protected override image(centered: string, output: string, shift: number): void {
    this.#quantize(centered, output, (255 * 2 ** -shift) / LEVELS);
  }

  protected override convolution(node: Conv2dNode, input: string): void {
    const { output } = node;
    const range = this.#ranges.get(output);
    if (range === undefined) throw new Error(`no range of ${output}`);
    const { values, dims } = this.weightOf(node);
    const scale = Math.max(range, 1) / (ZERO_POINT - 1);
    this.#scales.set(output, scale);
    this.graph.node(
      'QLinearConv',
      [
        input,
        this.scalar(`${output}.inScale`, this.#scaleOf(input)),
        this.#byte(`${output}.inZero`, 0),
        this.graph.constant(`${output}.weight`, values, dims),
        this.scalar(`${output}.weightScale`, 2 ** -node.shift),
        this.graph.constant(`${output}.weightZero`, Int8Array.of(0), []),
        this.scalar(`${output}.outScale`, scale),
        this.#byte(`${output}.outZero`, ZERO_POINT),
      ],
      output,
      this.convolutionAttributes(node),
    );
  }

  protected override requantization(node: RequantizeNode, joined: string): void {
    const { output } = node;
    const { multiplier, shift, offsets, top } = this.normOf(node);
    const { shapes } = this.model.graph;
    const partScales = node.inputs.flatMap((name) =>
      new Array<number>(shapes.get(name)?.[2] ?? 0).fill(this.#scaleOf(name)),
    );
    const scales = Float32Array.from(
      multiplier,
      (m, channel) => ((m / 32768) * (partScales[channel] ?? NaN)) / 2 ** shift,
    );
    const zeros = new Uint8Array(scales.length).fill(ZERO_POINT);
    const scale = this.graph.constant(`${output}.scale`, scales, [scales.length]);
    const zero = this.graph.constant(`${output}.zero`, zeros, [zeros.length]);
    const offset = this.graph.constant(`${output}.offset`, offsets, [1, offsets.length, 1, 1]);
    const real = this.graph.node('DequantizeLinear', [joined, scale, zero], `${output}.real`, {
      axis: 1,
    });
    const moved = this.graph.node('Add', [real, offset], `${output}.moved`);
    this.#quantize(moved, output, top / LEVELS);
  }

  #quantize(input: string, output: string, scale: number): void {
    const scaleName = this.scalar(`${output}.step`, scale);
    const zero = this.#byte(`${output}.stepZero`, 0);
    this.graph.node('QuantizeLinear', [input, scaleName, zero], output);
    this.#scales.set(output, scale);
  }

  /** Pooling and upsampling keep the scale of what they read. */
  #scaleOf(name: string): number {
    const scale = this.#scales.get(name);
    if (scale !== undefined) return scale;
    const maker = this.model.graph.nodes.find(({ output }) => output === name);
    const [input] = maker?.inputs ?? [];
    if (input === undefined) throw new Error(`no scale of ${name}`);
    return this.#scaleOf(input);
  }

  #byte(name: string, value: number): string {
    return this.graph.constant(name, Uint8Array.of(value), []);
  }
}

/** In execution order. */
function neededNodes({ graph }: Model, outputs: readonly string[]): readonly GraphNode[] {
  const needed = new Set(outputs);
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!needed.has(node.output)) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  return nodes.reverse();
}
