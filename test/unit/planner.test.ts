/** Plans: pruned, fused, tensors never overwritten while they are still read, the work counted. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { largestLiveSize } from '../../src/engine/arena_layout';
import { planGraph, type Plan, type PlanStep } from '../../src/engine/planner';
import { shapeLength } from '../../src/model/graph';
import { ModelBuilder } from '../helpers/model_builder';
import { modelArbitrary } from '../helpers/random_model';

/** image -> a (8x8x4) -> pool -> b; head reads [up(b), a]; `unused` reads a. */
function smallUnet(): { builder: ModelBuilder; head: string; inner: string } {
  const builder = new ModelBuilder(16, 16);
  const a = builder.conv(builder.image, { kernel: 7, stride: 2, outChannels: 4, encoding: 'i8' });
  const pooled = builder.maxPool(a);
  const b = builder.conv(builder.requantize([pooled]), { outChannels: 6 });
  builder.conv(builder.requantize([a]), { outChannels: 5, kernel: 3 }); // nobody reads this
  const head = builder.conv(builder.requantize([builder.upsample(b), a], { inputBits: 6 }), {
    kernel: 3,
    outChannels: 2,
  });
  return { builder, head, inner: b };
}

function tensorsRead(step: PlanStep): readonly number[] {
  if (step.kind === 'max_pool2d') return [step.inputTensor];
  return step.source.kind === 'parts' ? step.source.parts.map(({ tensor }) => tensor) : [];
}

describe('a small U-Net', () => {
  const { builder, head, inner } = smallUnet();
  const model = builder.build([head]);
  const plan = planGraph(model);

  test('has a step for each convolution and pool that the output needs', () => {
    expect(plan.steps.map(({ kind }) => kind)).toEqual([
      'conv2d',
      'max_pool2d',
      'conv2d',
      'conv2d',
    ]);
    expect(plan.output).toBe(head);
    expect(plan.inputShape).toEqual([16, 16, 3]);
    expect(plan.outputShape).toEqual([8, 8, 2]);
  });

  test('reads the image through its shift', () => {
    expect(plan.steps[0]).toMatchObject({ source: { kind: 'image', inputShift: 1 } });
  });

  test('fuses requantization, concatenation and upsampling into the head', () => {
    expect(plan.steps[3]).toMatchObject({
      inputShape: [8, 8, 10],
      source: {
        kind: 'parts',
        inputBits: 6,
        parts: [
          { shape: [4, 4, 6], upsample: true, channelOffset: 0 },
          { shape: [8, 8, 4], upsample: false, channelOffset: 6 },
        ],
      },
    });
  });

  test('counts multiply-adds of the planned convolutions', () => {
    expect(plan.multiplyAdds).toBe(64 * 4 * 147 + 16 * 6 * 4 + 64 * 2 * 90);
  });

  test('places tensors where others no longer are', () => {
    // a and b live to the end, beside the head; the head lies where pooled was.
    expect(plan.tensors.map(({ firstStep, lastStep }) => [firstStep, lastStep])).toEqual([
      [0, 3],
      [1, 2],
      [2, 3],
      [3, 3],
    ]);
    expect(plan.arenaLength).toBe(256 + 96 + 128);
  });

  test('plans an inner convolution on demand', () => {
    const innerPlan = planGraph(model, inner);
    expect(innerPlan.steps).toHaveLength(3);
    expect(innerPlan.outputShape).toEqual([4, 4, 6]);
  });

  test.each(['nothing', 'image', 'pool1', 'q2'])('refuses to plan %s', (name) => {
    expect(() => planGraph(model, name)).toThrow(
      expect.objectContaining({ code: 'graph/malformed' }) as Error,
    );
  });
});

describe('every random graph', () => {
  test('never writes where something is still to be read, nor reads what was overwritten', () => {
    fc.assert(
      fc.property(modelArbitrary(), (model) => {
        for (const output of model.graph.outputs) checkPlan(planGraph(model, output));
      }),
      { numRuns: 150 },
    );
  });

  test('takes at most a quarter more than the tensors that live at once', () => {
    fc.assert(
      fc.property(modelArbitrary(), (model) => {
        const { tensors, arenaLength } = planGraph(model);
        const sizes = tensors.map(({ shape, ...life }) => ({
          ...life,
          size: Math.ceil(shapeLength(shape) / 8) * 8,
        }));
        const least = largestLiveSize(sizes);
        expect(arenaLength).toBeGreaterThanOrEqual(least);
        expect(arenaLength).toBeLessThanOrEqual(1.25 * least);
      }),
      { numRuns: 150 },
    );
  });
});

/** Runs the plan on an arena that knows who wrote each value: every value that a step reads is of the tensor it asks for. */
function checkPlan(plan: Plan): void {
  const writers = new Int32Array(plan.arenaLength).fill(-1);
  const places = plan.tensors.map(({ offset, shape }) => [offset, offset + shapeLength(shape)]);
  expect(plan.tensors.map(({ name }) => name)).toEqual(plan.steps.map(({ name }) => name));
  plan.steps.forEach((step, index) => {
    writers.fill(index, ...(places[index] ?? []));
    for (const tensor of tensorsRead(step)) {
      const held = new Set(writers.subarray(...(places[tensor] ?? [])));
      expect(held, `${step.name} reads ${tensor}`).toEqual(new Set([tensor]));
      const { firstStep = NaN, lastStep = NaN } = plan.tensors[tensor] ?? {};
      expect(firstStep).toBeLessThan(index);
      expect(lastStep).toBeGreaterThanOrEqual(index);
    }
    expect(plan.tensors[index]).toMatchObject({ shape: step.outputShape, firstStep: index });
    if (step.kind === 'conv2d' && step.source.kind === 'parts') {
      let offset = 0;
      for (const part of step.source.parts) {
        const factor = part.upsample ? 2 : 1;
        expect(plan.tensors[part.tensor]?.shape).toEqual(part.shape);
        expect(part.channelOffset).toBe(offset);
        expect(part.shape[0] * factor).toBe(step.inputShape[0]);
        expect(part.shape[1] * factor).toBe(step.inputShape[1]);
        offset += part.shape[2];
      }
      expect(offset).toBe(step.inputShape[2]);
    }
  });
  expect(Math.max(...places.map(([, end = NaN]) => end))).toBeLessThanOrEqual(plan.arenaLength);
  expect(plan.steps.at(-1)?.name).toBe(plan.output);
}
