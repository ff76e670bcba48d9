/**
 * The pieces of an ONNX file, as plain calls: tensors, attributes, nodes, and the file around them. Knows ONNX, not Bitmarks.
 */
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

const OPSET = 13;
const IR_VERSION = 7;
const { DataType } = onnx.TensorProto;
const { AttributeType } = onnx.AttributeProto;

type TensorData = Float32Array | Int8Array | Uint8Array | BigInt64Array;
type Attribute = number | string | readonly number[];

/** Collects nodes and constants in order of use. */
export class OnnxGraph {
  readonly #nodes: onnxProto.onnx.INodeProto[] = [];
  readonly #constants: onnxProto.onnx.ITensorProto[] = [];

  /** A constant; [] is a scalar. Gives its name back. */
  constant(name: string, data: TensorData, dims: readonly number[]): string {
    this.#constants.push({
      name,
      dims: [...dims],
      dataType: typeOf(data),
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
    return name;
  }

  /** A node with one output, whose name is given back. Whole numbers become integer attributes. */
  node(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    this.#nodes.push({
      ...{ opType, name: output, input: [...inputs], output: [output] },
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return output;
  }

  /** The file. Inputs and outputs are float32 with these shapes. */
  encode(
    name: string,
    inputs: Readonly<Record<string, readonly number[]>>,
    outputs: Readonly<Record<string, readonly number[]>>,
  ): Uint8Array {
    const infos = (
      values: Readonly<Record<string, readonly number[]>>,
    ): onnxProto.onnx.IValueInfoProto[] =>
      Object.entries(values).map(([valueName, dims]) => ({
        name: valueName,
        type: {
          tensorType: {
            elemType: DataType.FLOAT,
            shape: { dim: dims.map((dimValue) => ({ dimValue })) },
          },
        },
      }));
    return onnx.ModelProto.encode({
      irVersion: IR_VERSION,
      producerName: 'bitmarks',
      opsetImport: [{ domain: '', version: OPSET }],
      graph: {
        ...{ name, node: this.#nodes, initializer: this.#constants },
        ...{ input: infos(inputs), output: infos(outputs) },
      },
    }).finish();
  }
}

function typeOf(data: TensorData): number {
  if (data instanceof Float32Array) return DataType.FLOAT;
  if (data instanceof Int8Array) return DataType.INT8;
  return data instanceof Uint8Array ? DataType.UINT8 : DataType.INT64;
}

function attribute(name: string, value: Attribute): onnxProto.onnx.IAttributeProto {
  if (typeof value === 'string') {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  return typeof value === 'number'
    ? { name, type: AttributeType.INT, i: value }
    : { name, type: AttributeType.INTS, ints: [...value] };
}
