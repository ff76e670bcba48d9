/** Every rule of the manifest, broken one at a time. */
import { describe, expect, test } from 'vitest';
import { damaged, smallModel } from '../helpers/small_pack';

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
      'manifest.codec.type is dsnt, expected softmax, the only codec of this build',
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
