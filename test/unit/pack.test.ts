/** Packs: what is written is read back, and every damage gives its own typed error. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePack } from '../../src/model/pack';
import { containerBytes, writePack } from '../helpers/pack_writer';
import { modelArbitrary } from '../helpers/random_model';
import {
  contents,
  damaged,
  damagedHeader,
  problemOf,
  smallModel,
  tensor,
} from '../helpers/small_pack';

describe('a valid pack', () => {
  test('reads back as the model that was written', () => {
    const model = smallModel();
    const file = writePack(model);
    const read = parsePack(file);
    expect(contents(read)).toEqual(contents(model));
    expect(read.sizeBytes).toBe(file.length);
    const headerLength = new DataView(file.buffer).getUint32(0, true);
    expect(read.sha256).toBe(bytesToHex(sha256(file.subarray(8 + headerLength))));
  });

  test('of any random model reads back', () => {
    fc.assert(
      fc.property(modelArbitrary(), (model) => {
        expect(contents(parsePack(writePack(model)))).toEqual(contents(model));
      }),
      { numRuns: 60 },
    );
  });

  test('gives views, not copies', () => {
    const file = writePack(smallModel());
    const { weights, norms } = parsePack(file);
    for (const { bytes } of weights.values()) expect(bytes.buffer).toBe(file.buffer);
    for (const { multiplier } of norms.values()) expect(multiplier.buffer).toBe(file.buffer);
  });

  test('reads at any position of a larger buffer', () => {
    const model = smallModel();
    const file = writePack(model);
    for (const offset of [1, 2, 7]) {
      const larger = new Uint8Array(file.length + 16).fill(0xff);
      larger.set(file, offset);
      const read = parsePack(larger.subarray(offset, offset + file.length));
      expect(contents(read)).toEqual(contents(model));
    }
  });
});

describe('bytes that are missing or foreign', () => {
  const file = writePack(smallModel());

  test.each([0, 7, 8, 100, file.length - 1])('cut to %i bytes', (length) => {
    expect(problemOf(file.subarray(0, length)).code).toBe('pack/truncated');
  });

  test('one byte too many', () => {
    const longer = new Uint8Array(file.length + 1);
    longer.set(file);
    expect(problemOf(longer).message).toMatch(
      /^the payload is \d+ bytes long, expected \d+, where the last tensor ends$/,
    );
  });

  test('a web page', () => {
    const page = new TextEncoder().encode('<!doctype html><title>Not found</title>');
    expect(problemOf(page)).toMatchObject({
      code: 'pack/malformed',
      message: expect.stringContaining('starts like a web page') as string,
    });
  });

  test.each([
    [2 ** 32, [0, 0, 0, 0, 1, 0, 0, 0]],
    [2 ** 64, [255, 255, 255, 255, 255, 255, 255, 255]],
    [2 ** 21, [0, 0, 32, 0, 0, 0, 0, 0]],
  ])('a header length of %i', (length, bytes) => {
    const hostile = file.slice();
    hostile.set(bytes);
    const problem = problemOf(hostile);
    expect(problem.code).toBe('pack/malformed');
    expect(problem.message).toContain(`promises a header of ${length} bytes`);
  });

  test.each(['{', '[]', '"text"', 'null', '{"graph":7}', '{"graph":{"dtype":"U8"}}'])(
    'the header %s',
    (header) => {
      expect(problemOf(containerBytes(header, new Uint8Array(0))).code).toBe('pack/malformed');
    },
  );

  test('a header that is not UTF-8', () => {
    const foreign = file.slice();
    foreign[12] = 0xff;
    expect(problemOf(foreign)).toMatchObject({
      code: 'pack/malformed',
      message:
        'the header of the pack is not UTF-8 JSON; the file is damaged or not a Bitmarks pack',
    });
  });

  test('any flipped byte of the payload', () => {
    const headerEnd = 8 + new DataView(file.buffer).getUint32(0, true);
    for (let position = headerEnd; position < file.length; position += 37) {
      const flipped = file.slice();
      flipped[position] = (flipped[position] ?? 0) ^ 1;
      expect(problemOf(flipped).code).toBe('pack/hash');
    }
  });
});

describe('tensors that do not fit', () => {
  const range = (header: Record<string, Record<string, unknown>>, name: string): number[] =>
    header[name]?.['data_offsets'] as number[];

  test('overlapping', () => {
    const problem = damagedHeader((header) => {
      const [begin = 0, end = 0] = range(header, 'norm.bias');
      Object.assign(header['norm.bias'] ?? {}, { data_offsets: [begin - 2, end - 2] });
    });
    expect(problem.message).toMatch(/"norm.bias" is at byte \d+ and overlaps the tensor before it/);
  });

  test('with a hole', () => {
    const problem = damagedHeader((header) => {
      delete header['norm.bias'];
    });
    expect(problem.message).toMatch(/"norm.shift" is at byte \d+ and leaves a hole before it/);
  });

  test('past the end', () => {
    const problem = damagedHeader((header) => {
      const [begin = 0] = range(header, 'graph');
      Object.assign(header['graph'] ?? {}, { shape: [1e15], data_offsets: [begin, begin + 1e15] });
    });
    expect(problem.code).toBe('pack/truncated');
  });

  test.each([
    ['negative offset', { data_offsets: [-2, 24] }],
    ['reversed offsets', { data_offsets: [26, 0] }],
    ['fractional offset', { data_offsets: [0, 25.5] }],
    ['shape of another size', { shape: [12] }],
    ['two dimensions', { shape: [13, 1] }],
    ['unknown dtype', { dtype: 'F32' }],
    ['dtype of every object', { dtype: 'toString' }],
    ['no dtype', { dtype: undefined }],
  ])('%s', (_, fields) => {
    const problem = damagedHeader((header) =>
      Object.assign(header['norm.multiplier'] ?? {}, fields),
    );
    expect(problem.code).toBe('pack/malformed');
    expect(problem.message).toContain('norm.multiplier');
  });

  test.each([
    'norm.multiplier',
    'norm.bias',
    'norm.shift',
    'weights.i8',
    'weights.b1',
    'weights.t2',
    'graph',
  ])('without %s', (name) => {
    const problem = damaged((parts) => {
      parts.tensors = parts.tensors.filter((candidate) => candidate.name !== name);
    });
    expect(problem.code).toBe('pack/malformed');
    expect(problem.message).toContain(name);
  });

  test.each([
    'norm.multiplier',
    'norm.bias',
    'norm.shift',
    'weights.i8',
    'weights.b1',
    'weights.t2',
  ])('%s too long or too short', (name) => {
    for (const change of [-2, 2]) {
      const problem = damaged((parts) => {
        const part = tensor(parts, name);
        const bytes = new Uint8Array(Math.max(0, part.bytes.length + change));
        bytes.set(part.bytes.subarray(0, bytes.length));
        part.bytes = bytes;
      });
      expect(problem.code).toBe('pack/malformed');
      expect(problem.message).toContain(name);
    }
  });

  test('a tensor of another type', () => {
    const problem = damaged((parts) => (tensor(parts, 'weights.b1').dtype = 'I8'));
    expect(problem.message).toBe('tensor "weights.b1" is of dtype "I8", expected U8');
  });

  test('a tensor that no contract names', () => {
    const problem = damaged((parts) =>
      parts.tensors.push({ name: 'extra', dtype: 'U8', bytes: Uint8Array.of(1) }),
    );
    expect(problem.message).toMatch(/^tensor "extra" is unknown, expected norm.multiplier/);
  });
});

describe('values outside their range', () => {
  test.each([
    ['norm.multiplier', [0, 0x80], 'a multiplier of "q1.n" is -32768, expected -32767 to 32767'],
    ['norm.shift', [16], 'the shift of "q1.n" is 16, expected an integer from 0 to 15'],
    ['weights.i8', [0x80], 'a weight of "conv0.w" is -128, expected -127 to 127'],
    ['weights.t2', [0b0111, 0b10], 'weight 4 of "conv2.w" is code 2, expected code 0, 1 or 3'],
  ])('%s', (name, bytes, message) => {
    const problem = damaged((parts) => tensor(parts, name).bytes.set(bytes));
    expect(problem).toMatchObject({ code: 'pack/malformed', message });
  });
});

describe('metadata', () => {
  test.each([
    [{ format: 'bitmarks-pack/2' }, 'pack/version'],
    [{ format: 'pt' }, 'pack/malformed'],
    [{ format: undefined }, 'pack/malformed'],
    [{ sha256: '0'.repeat(64) }, 'pack/hash'],
    [{ sha256: 7 }, 'pack/malformed'],
    [{ manifest: '{' }, 'pack/malformed'],
    [{ manifest: 7 }, 'pack/malformed'],
  ])('%j gives %s', (fields, code) => {
    expect(damaged((parts) => Object.assign(parts.metadata, fields)).code).toBe(code);
  });

  test('a graph of another version', () => {
    const problem = damaged((parts) => {
      const part = tensor(parts, 'graph');
      part.bytes = new TextEncoder().encode(
        new TextDecoder().decode(part.bytes).replace('graph/1', 'graph/9'),
      );
    });
    expect(problem.code).toBe('pack/version');
  });

  test('a graph that breaks a rule', () => {
    const problem = damaged((parts) => {
      const part = tensor(parts, 'graph');
      part.bytes = new TextEncoder().encode(
        new TextDecoder().decode(part.bytes).replace('"kernel":3', '"kernel":2'),
      );
    });
    expect(problem).toMatchObject({
      code: 'graph/malformed',
      message: 'graph.nodes[0].kernel is 2, expected an odd number',
    });
  });
});
