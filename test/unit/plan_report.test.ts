/** Plan reports: hand-counted costs of a small network, lifetimes, and what the shipped face pack needs in memory. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { reportPlan, tensorLives } from '../../bench/plan/plan_report';
import { planSvg, planTable } from '../../bench/plan/plan_text';
import { planGraph } from '../../src/engine/planner';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { ModelBuilder } from '../helpers/model_builder';

/** image 16x16 -> a (8x8x4) -> pooled (4x4x4) -> b (4x4x6); head (8x8x2) reads [up(b), a]. */
function smallUnet(): Model {
  const builder = new ModelBuilder(16, 16);
  const a = builder.conv(builder.image, { kernel: 7, stride: 2, outChannels: 4, encoding: 'i8' });
  const b = builder.conv(builder.requantize([builder.maxPool(a)]), { outChannels: 6 });
  const head = builder.conv(builder.requantize([builder.upsample(b), a]), {
    kernel: 3,
    outChannels: 2,
  });
  return builder.build([head]);
}

describe('a small U-Net', () => {
  const plan = planGraph(smallUnet());
  const report = reportPlan(plan, ['k0', 'k1', 'k2', 'k3']);

  test('counts multiply-adds and names operations', () => {
    expect(report.steps.map(({ operation }) => operation)).toEqual([
      'conv 7x7/2 i8',
      'pool 2x2',
      'conv 1x1 b1',
      'conv 3x3 b1',
    ]);
    expect(report.steps.map(({ multiplyAdds }) => multiplyAdds)).toEqual([
      64 * 4 * 49 * 3,
      0,
      16 * 6 * 4,
      64 * 2 * 9 * 10,
    ]);
    expect(report.multiplyAdds).toBe(37632 + 384 + 11520);
  });

  test('knows from when to when each tensor is needed', () => {
    expect(
      tensorLives(plan).map(({ firstStep, lastStep, bytes }) => [firstStep, lastStep, bytes]),
    ).toEqual([
      [0, 3, 512],
      [1, 2, 128],
      [2, 3, 192],
      [3, 3, 256],
    ]);
    expect(report.steps.map(({ liveBytes }) => liveBytes)).toEqual([512, 640, 832, 960]);
    expect(report.peakLiveBytes).toBe(960);
    expect(report.peakActivationBytes).toBe(960);
  });

  test('is printed and drawn with every step and tensor', () => {
    const table = planTable(report);
    const svg = planSvg(report, 'a < b');
    expect(svg).toContain('a &lt; b');
    for (const step of report.steps) {
      expect(table).toContain(`${step.name} `);
      expect(svg).toContain(`<title>${step.name}: `);
    }
    expect(table).toContain('peak activation bytes 960, 1.000 times the 960');
  });
});

/** Most that any step of a DU-Net needs: the stem's output beside its pooled copy, `channels` wide, at a side of `size` pixels. */
const stemBytes = (size: number, channels: number): number =>
  2 * channels * ((size / 2) ** 2 + (size / 4) ** 2);

test.each([
  ['face', stemBytes(128, 80)],
  ['face-full', stemBytes(128, 128)],
  ['pose', stemBytes(128, 112)],
])('%s takes no more than the tensors that are needed at once', (name, bytes) => {
  const model = parsePack(readFileSync(`models/${name}.bitmarks`));
  for (const output of model.graph.outputs) {
    const report = reportPlan(planGraph(model, output), []);
    expect(report.peakLiveBytes).toBe(bytes);
    expect(report.peakActivationBytes).toBe(bytes);
  }
});
