/** Every rule of the manifest, broken one at a time. */
import { describe, expect, test } from 'vitest';
import { parsePack } from '../../src/model/pack';
import { ModelBuilder } from '../helpers/model_builder';
import { assemblePack, packParts } from '../helpers/pack_writer';
import { damaged, smallModel } from '../helpers/small_pack';

const FINDER = {
  task: 'face-finder',
  landmarks: ['center', 'size', 'x', 'y'],
  codec: { type: 'centers', stride: 4, scale: 0.01, unit: 16 },
  roi: { scale: 1, upright: null, presence: 0.4 },
} as const;

/** A pack whose graph has input 16 x 16 and output 4 x 4. */
function finderParts(channels: number) {
  const builder = new ModelBuilder(16, 16);
  const stem = builder.conv(builder.image, {
    ...{ kernel: 3, stride: 2, outChannels: 4, encoding: 'i8' },
  });
  const head = builder.conv(builder.requantize([stem]), {
    kernel: 3,
    stride: 2,
    outChannels: channels,
  });
  return packParts(builder.build([head]));
}

describe('the manifest of a finder', () => {
  const parse = (channels: number, fields: Record<string, unknown>) => {
    const parts = finderParts(channels);
    Object.assign(
      parts.manifest,
      FINDER,
      { mirror: fields['mirror'] ?? [0, 1, 2, 3], connections: [] },
      fields,
    );
    return parsePack(assemblePack(parts)).manifest;
  };

  test('is read as it is written', () => {
    expect(parse(4, {})).toMatchObject(FINDER);
    const turning = [...FINDER.landmarks, 'cos', 'sin'];
    expect(parse(6, { landmarks: turning, mirror: [0, 1, 2, 3, 4, 5] }).landmarks).toEqual(turning);
  });

  test.each<[Record<string, unknown>, string]>([
    [
      { landmarks: ['center', 'size', 'y', 'x'] },
      'manifest.landmarks is "center size y x", expected the channels',
    ],
    [
      { codec: { ...FINDER.codec, stride: 2 } },
      'manifest.codec.stride is 2, expected input over output of the graph, 16 x 16 over 4 x 4 cells',
    ],
    [{ codec: { ...FINDER.codec, unit: 0 } }, 'manifest.codec.unit is 0, expected a number'],
    [{ codec: { type: 'centers' } }, 'manifest.codec.unit is nothing, expected a number'],
  ])('%j', (fields, message) => {
    const problem = (() => {
      try {
        return parse(4, fields);
      } catch (error) {
        return error;
      }
    })();
    expect(problem).toMatchObject({ code: 'pack/malformed' });
    expect((problem as Error).message).toContain(message);
  });
});

test('optional fields of roi are kept, and absent where they are not given', () => {
  const roi = {
    scale: 1.25,
    upright: null,
    presence: 0.4,
    landmark: 0.2,
    visible: 0.3,
    count: 2,
    mirrored: true,
  };
  const parts = packParts(smallModel());
  Object.assign(parts.manifest, { roi });
  expect(parsePack(assemblePack(parts)).manifest.roi).toEqual(roi);
  expect(Object.keys(parsePack(assemblePack(packParts(smallModel()))).manifest.roi)).toEqual([
    ...['scale', 'upright', 'presence'],
  ]);
});

describe('the manifest', () => {
  const cases: [fields: Record<string, unknown>, message: string][] = [
    [{ name: '' }, 'manifest.name is an empty string, expected a name'],
    [{ task: 3 }, 'manifest.task is 3, expected a string of at most 200 characters'],
    [
      {
        landmarks: ['a'],
        mirror: [0],
        connections: [],
        roi: { scale: 1, upright: [0, 0], presence: 0 },
      },
      "manifest.landmarks is a list of 1, expected 2 names, one for each channel of the graph's output",
    ],
    [{ mirror: [0] }, 'manifest.mirror is an array of 1, expected an array of 2 entries'],
    [{ mirror: [0, 2] }, 'manifest.mirror[1] is 2, expected an integer from 0 to 1'],
    [
      { mirror: [1, 1] },
      'manifest.mirror[0] is 1, whose own partner is 1, expected pairs that point at each other',
    ],
    [{ connections: [[0, 5]] }, 'manifest.connections[0][1] is 5, expected an integer from 0 to 1'],
    [
      { codec: { type: 'dsnt' } },
      'manifest.codec.type is dsnt, expected softmax or centers, the codecs of this build',
    ],
    [
      { codec: { type: 'softmax', stride: 4, window: 4, scale: 1 } },
      'manifest.codec.window is 4, expected an odd number',
    ],
    [
      { codec: { type: 'softmax', stride: 4, window: 5, scale: 0 } },
      'manifest.codec.scale is 0, expected a number from 1e-9 to 1000',
    ],
    [
      { roi: { scale: 1, upright: [0, 9], presence: 0 } },
      'manifest.roi.upright[1] is 9, expected an integer from 0 to 1',
    ],
    [
      { roi: { scale: 1, upright: [0, 1], presence: 2 } },
      'manifest.roi.presence is 2, expected a number from 0 to 1',
    ],
    [
      { roi: { scale: 1, upright: null, presence: 0, landmark: 1.5 } },
      'manifest.roi.landmark is 1.5, expected a number from 0 to 1',
    ],
    [
      { roi: { scale: 1, upright: null, presence: 0, visible: -0.1 } },
      'manifest.roi.visible is -0.1, expected a number from 0 to 1',
    ],
    [
      { roi: { scale: 1, upright: null, presence: 0, mirrored: 1 } },
      'manifest.roi.mirrored is 1, expected true or false',
    ],
    [
      { roi: { scale: 1, upright: null, presence: 0, count: 3 } },
      'manifest.roi.count is 3, expected an integer from 1 to 2',
    ],
    [
      { codec: { type: 'centers', stride: 4, scale: 0.1, unit: 16 } },
      'manifest.landmarks is "k0 k1", expected the channels of the codec centers: center size x y, or center size x y cos sin',
    ],
    [
      { golden: { seed: 0, sha256: [] } },
      'manifest.golden.seed is 0, expected an integer from 1 to 4294967295',
    ],
    [
      { golden: { seed: 1, sha256: ['AB'] } },
      'manifest.golden.sha256[0] is "AB", expected 64 lower-case hex digits',
    ],
    [
      { golden: { seed: 1, sha256: ['0'.repeat(64), '0'.repeat(64)] } },
      'manifest.golden.sha256 is a list of 2, expected 1 hashes, one for each output of the graph',
    ],
    [{ evaluation: null }, 'manifest.evaluation is null, expected an object'],
    [{ data: [7] }, 'manifest.data[0] is 7, expected a string of at most 20000 characters'],
  ];

  test.each(cases)('%j', (fields, message) => {
    const problem = damaged((parts) => Object.assign(parts.manifest, fields));
    expect(problem).toMatchObject({ code: 'pack/malformed', message });
  });

  test.each(Object.keys(smallModel().manifest))('without %s', (field) => {
    const problem = damaged((parts) => {
      parts.manifest = Object.fromEntries(
        Object.entries(parts.manifest).filter(([key]) => key !== field),
      );
    });
    expect(problem.code).toBe('pack/malformed');
    expect(problem.message).toContain(`manifest.${field}`);
  });
});
