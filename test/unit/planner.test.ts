/** Plans: pruned, fused, buffers never overwritten while they are still read, the work counted. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planGraph, type Plan, type PlanStep } from '../../src/engine/planner';
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

function readBuffers(step: PlanStep): readonly number[] {
  if (step.kind === 'max_pool2d') return [step.inputBuffer];
  return step.source.kind === 'parts' ? step.source.parts.map(({ buffer }) => buffer) : [];
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

  test('reuses the pooled buffer', () => {
    // a, pooled, b, head; the head fits where pooled was.
    expect(plan.buffers.map(({ length }) => length).sort((x, y) => x - y)).toEqual([96, 128, 256]);
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
  test('never writes a buffer that is still to be read, nor reads one that was overwritten', () => {
    fc.assert(
      fc.property(modelArbitrary(), (model) => {
        for (const output of model.graph.outputs) checkBuffers(planGraph(model, output));
      }),
      { numRuns: 150 },
    );
  });
});

/** Each buffer that a step reads was last written with a tensor of the shape it expects, and is not its output. */
function checkBuffers(plan: Plan): void {
  const lengths = plan.buffers.map(({ length }) => length);
  plan.buffers.forEach(({ index }, position) => expect(index).toBe(position));
  plan.steps.forEach((step, index) => {
    const size = step.outputShape.reduce((a, b) => a * b);
    expect(lengths[step.outputBuffer]).toBeGreaterThanOrEqual(size);
    expect(readBuffers(step)).not.toContain(step.outputBuffer);
    for (const buffer of readBuffers(step)) {
      const written = plan.steps.slice(0, index).findLast((s) => s.outputBuffer === buffer);
      expect(written, `${step.name} reads buffer ${buffer} before it is written`).toBeDefined();
    }
    if (step.kind === 'conv2d' && step.source.kind === 'parts') {
      let offset = 0;
      for (const part of step.source.parts) {
        const factor = part.upsample ? 2 : 1;
        const written = plan.steps.slice(0, index).findLast((s) => s.outputBuffer === part.buffer);
        expect(written?.outputShape).toEqual(part.shape);
        expect(part.channelOffset).toBe(offset);
        expect(part.shape[0] * factor).toBe(step.inputShape[0]);
        expect(part.shape[1] * factor).toBe(step.inputShape[1]);
        offset += part.shape[2];
      }
      expect(offset).toBe(step.inputShape[2]);
    }
  });
  expect(plan.steps.at(-1)?.outputBuffer).toBe(plan.outputBuffer);
  expect(plan.steps.at(-1)?.name).toBe(plan.output);
}
