/** A session that is asked for the first of two refinement passes. */
import { expect, test } from 'vitest';
import { planGraph } from '../../src/engine/planner';
import { createReferenceBackend } from '../../src/engine/reference/reference_backend';
import { Session } from '../../src/engine/session';
import { goldenImage, heatmapHash } from '../../src/model/golden';
import type { Model } from '../../src/model/types';
import { ModelBuilder } from '../helpers/model_builder';
import { randomImage } from '../helpers/random_model';

function twoPassModel(): Model {
  const builder = new ModelBuilder(6, 6);
  const conv = { outChannels: 3, encoding: 'i8', weights: (i: number) => i - 4 } as const;
  const first = builder.conv(builder.image, conv);
  const second = builder.conv(builder.requantize([first], { bias: () => 50, shift: 4 }), conv);
  return builder.build([first, second]);
}

const open = (model: Model, pass: number) =>
  Session.create(model, {
    backend: 'reference',
    engine: { wasmUrls: { simd128: 'unused', relaxed: 'unused' } },
    selfTest: true,
    pass,
    loadFactory: () => Promise.resolve(createReferenceBackend),
  });

test('compiles, tests and tells of nothing but the pass that the options ask for', async () => {
  const model = twoPassModel();
  const [first = '', second = ''] = model.graph.outputs;
  const backend = await createReferenceBackend();
  const hashes: string[] = [];
  const bytes: number[] = [];
  for (const output of [first, second]) {
    const compiled = await backend.compile(model, planGraph(model, output));
    bytes.push(compiled.bytes.activations);
    hashes.push(heatmapHash((await compiled.run({ kind: 'crop', data: goldenImage(model) })).data));
  }
  expect(hashes[0]).not.toBe(hashes[1]);
  expect(bytes[0]).toBeLessThan(bytes[1] ?? 0);
  const golden = { seed: 1, sha256: hashes };
  const tested = { ...model, manifest: { ...model.manifest, golden } };

  const crop = { kind: 'crop', data: randomImage(model, 1) } as const;
  const both = await open(tested, 1);
  const one = await open(tested, 0);
  expect(await one.run(crop)).toEqual(await both.run(crop, 0));
  expect(await one.run(crop)).not.toEqual(await both.run(crop));
  expect(one.state.kernels).toHaveLength(1);
  expect(one.state.bytes.activations).toBe(bytes[0]);
  expect(one.state.multiplyAdds).toBe(planGraph(model, first).multiplyAdds);
  expect(one.state.multiplyAdds).toBeLessThan(both.state.multiplyAdds);
  await expect(open(tested, 2)).rejects.toMatchObject({
    code: 'options/invalid',
    message: 'the model has no pass 2, expected 0 to 1',
  });
});
