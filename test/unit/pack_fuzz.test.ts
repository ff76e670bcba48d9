/** Damaged packs of every kind give a model or a BitmarksError, never another exception. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BitmarksError } from '../../src/errors';
import { parsePack } from '../../src/model/pack';
import { assemblePack, containerBytes, packParts, writePack } from '../helpers/pack_writer';
import { smallModel, tensor } from '../helpers/small_pack';

describe('fuzzed packs give a model or a BitmarksError', () => {
  const original = writePack(smallModel());
  const headerLength = new DataView(original.buffer).getUint32(0, true);

  /** Fails on any other exception. */
  function survives(file: Uint8Array): void {
    try {
      parsePack(file);
    } catch (error) {
      expect(error).toBeInstanceOf(BitmarksError);
    }
  }

  test('bytes overwritten anywhere, cut or repeated', () => {
    const edits = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(edits, fc.nat(original.length), fc.nat(64), (changes, end, repeat) => {
        const file = new Uint8Array(original.length + repeat);
        file.set(original);
        for (const [position, value] of changes) file[position] = value;
        survives(file);
        survives(file.subarray(0, end));
      }),
      { numRuns: 400 },
    );
  });

  test('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survives), { numRuns: 200 });
  });

  test('numbers of the header replaced', () => {
    const header = new TextDecoder().decode(original.subarray(8, 8 + headerLength));
    const payload = original.subarray(8 + headerLength);
    const numbers = [...header.matchAll(/\d+/g)];
    const values = fc.constantFrom(
      '0',
      '1',
      '-1',
      '7',
      '65536',
      '1e9',
      '1e308',
      '1e999',
      '0.5',
      'null',
      '[]',
      '{}',
      '"a"',
    );
    fc.assert(
      fc.property(fc.nat(numbers.length - 1), values, (index, value) => {
        const match = numbers[index];
        if (match === undefined) return;
        const before = header.slice(0, match.index);
        survives(
          containerBytes(before + value + header.slice(match.index + match[0].length), payload),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('numbers of the graph replaced, under a right hash', () => {
    const parts = packParts(smallModel());
    const graph = new TextDecoder().decode(tensor(parts, 'graph').bytes);
    const numbers = [...graph.matchAll(/\d+/g)];
    const values = fc.constantFrom(
      '0',
      '1',
      '2',
      '3',
      '-1',
      '4096',
      '1e9',
      '1e308',
      '0.5',
      'null',
      '"a"',
      '[1]',
    );
    fc.assert(
      fc.property(fc.nat(numbers.length - 1), values, (index, value) => {
        const match = numbers[index];
        if (match === undefined) return;
        const text =
          graph.slice(0, match.index) + value + graph.slice(match.index + match[0].length);
        tensor(parts, 'graph').bytes = new TextEncoder().encode(text);
        survives(assemblePack(parts));
      }),
      { numRuns: 300 },
    );
  });

  test('values of the manifest replaced, under a right hash', () => {
    const values = fc.constantFrom<unknown>(
      ...[0, 1, -1, 0.5, 1e308, NaN, null, '', 'centers', 'softmax', [], {}, [1, 0], undefined],
    );
    const paths = [
      ...['landmarks', 'mirror', 'connections', 'codec', 'roi', 'golden', 'task'].map((key) => [
        key,
      ]),
      ...['type', 'stride', 'window', 'scale', 'unit'].map((key) => ['codec', key]),
      ...['scale', 'upright', 'presence', 'landmark', 'visible', 'count', 'mirrored'].map((key) => [
        'roi',
        key,
      ]),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), values, fc.boolean(), (path, value, isFinder) => {
        const parts = packParts(smallModel());
        if (isFinder) {
          parts.manifest['codec'] = { type: 'centers', stride: 1, scale: 0.1, unit: 16 };
          parts.manifest['landmarks'] = ['center', 'size', 'x', 'y'];
        }
        const [outer = '', inner] = path;
        const owner = inner === undefined ? parts.manifest : parts.manifest[outer];
        Object.assign(owner as object, { [inner ?? outer]: value });
        survives(assemblePack(parts));
      }),
      { numRuns: 300 },
    );
  });
});
