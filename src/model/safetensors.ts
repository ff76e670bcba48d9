/**
 * The safetensors container: length, JSON header, raw tensors. Checks that every byte of the payload belongs to exactly
 * one tensor, and allocates nothing that the file's numbers ask for. Knows nothing of models.
 */
import { BitmarksError } from '../errors';
import { describe, JsonChecker, quote } from './check';

/** Bytes of each element, by dtype; only those that packs use. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = { U8: 1, I8: 1, I16: 2 };

const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 2 ** 20;

const check = new JsonChecker('pack/malformed');

export interface RawTensor {
  readonly dtype: string;
  /** Number of elements; tensors of packs have one dimension. */
  readonly length: number;
  /** A view into the file. */
  readonly bytes: Uint8Array;
}

export interface Container {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, RawTensor>;
  /** All bytes after the header, a view into the file. */
  readonly payload: Uint8Array;
}

/** Opens a container. Throws 'pack/truncated' when bytes are missing and 'pack/malformed' for anything else. */
export function readContainer(file: Uint8Array): Container {
  const headerBytes = readHeaderLength(file);
  const payload = file.subarray(LENGTH_BYTES + headerBytes);
  const header = check.record(
    parseJson(file.subarray(LENGTH_BYTES, LENGTH_BYTES + headerBytes), 'the header'),
    'the header',
  );
  const tensors = new Map<string, RawTensor>();
  const ranges: Range[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const where = `tensor ${quote(name)}`;
    const { range, tensor } = readTensor(check.record(entry, where), where, payload);
    ranges.push({ ...range, where });
    tensors.set(name, tensor);
  }
  checkCover(ranges, payload.length);
  const metadata = check.record(check.field(header, '__metadata__'), '__metadata__');
  return { metadata, tensors, payload };
}

/** JSON from UTF-8 bytes. Throws 'pack/malformed'. */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new BitmarksError(
      'pack/malformed',
      `${where} of the pack is not UTF-8 JSON; the file is damaged or not a Bitmarks pack`,
      { cause },
    );
  }
}

interface Range {
  readonly begin: number;
  readonly end: number;
  readonly where: string;
}

function readHeaderLength(file: Uint8Array): number {
  if (file.length < LENGTH_BYTES) {
    throw new BitmarksError(
      'pack/truncated',
      `the pack has ${file.length} bytes, expected at least ${LENGTH_BYTES}; download it again`,
    );
  }
  const view = new DataView(file.buffer, file.byteOffset, LENGTH_BYTES);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > MAX_HEADER_BYTES) {
    // Servers that answer every address with their start page are the usual reason.
    const start =
      file[0] === 0x3c ? 'starts like a web page' : `promises a header of ${length} bytes`;
    throw new BitmarksError(
      'pack/malformed',
      `the file ${start}, expected a Bitmarks pack with a header of at most ${MAX_HEADER_BYTES} bytes; check its URL`,
    );
  }
  if (LENGTH_BYTES + length > file.length) {
    throw new BitmarksError(
      'pack/truncated',
      `the pack has ${file.length} bytes, its header alone needs ${LENGTH_BYTES + length}; download it again`,
    );
  }
  return length;
}

function readTensor(
  entry: Readonly<Record<string, unknown>>,
  where: string,
  payload: Uint8Array,
): { range: Omit<Range, 'where'>; tensor: RawTensor } {
  const dtype = check.text(check.field(entry, 'dtype'), `${where}.dtype`, 20);
  const elementBytes = Object.hasOwn(ELEMENT_BYTES, dtype) ? ELEMENT_BYTES[dtype] : undefined;
  if (elementBytes === undefined) {
    throw check.fail(`${where}.dtype`, quote(dtype), Object.keys(ELEMENT_BYTES).join(', '));
  }
  const most = Number.MAX_SAFE_INTEGER;
  const shape = check.array(check.field(entry, 'shape'), `${where}.shape`, 1, 1);
  const length = check.integer(shape[0], `${where}.shape[0]`, 0, most);
  const offsets = check.array(check.field(entry, 'data_offsets'), `${where}.data_offsets`, 2, 2);
  const begin = check.integer(offsets[0], `${where}.data_offsets[0]`, 0, most);
  const end = check.integer(offsets[1], `${where}.data_offsets[1]`, begin, most);
  if (end - begin !== length * elementBytes) {
    throw check.fail(
      where,
      `${end - begin} bytes long`,
      `${length * elementBytes} for ${length} elements of ${dtype}`,
    );
  }
  if (end > payload.length) {
    throw new BitmarksError(
      'pack/truncated',
      `${where} ends at byte ${end} of the payload, which has ${payload.length}; download the pack again`,
    );
  }
  return { range: { begin, end }, tensor: { dtype, length, bytes: payload.subarray(begin, end) } };
}

function checkCover(ranges: readonly Range[], payloadLength: number): void {
  let covered = 0;
  for (const { begin, end, where } of [...ranges].sort(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== covered) {
      const problem = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw check.fail(where, `at byte ${begin} and ${problem}`, `to begin at byte ${covered}`);
    }
    covered = end;
  }
  if (covered !== payloadLength) {
    throw check.fail(
      'the payload',
      `${payloadLength} bytes long`,
      `${covered}, where the last tensor ends`,
    );
  }
}

/** The tensor if present, of the asked dtype. */
export function tensorOf(container: Container, name: string, dtype: string): RawTensor | undefined {
  const tensor = container.tensors.get(name);
  if (tensor !== undefined && tensor.dtype !== dtype) {
    throw check.fail(`tensor ${quote(name)}`, `of dtype ${describe(tensor.dtype)}`, dtype);
  }
  return tensor;
}
