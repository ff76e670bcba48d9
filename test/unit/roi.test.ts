import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  centerDistance,
  coveredShare,
  projectLandmarks,
  roiFromBox,
  roiFromLandmarks,
  roiToCropAffine,
} from '../../src/pipeline/roi';
import type { RegionOfInterest } from '../../src/protocol/result';

const frame = { width: 640, height: 480 };
const rule = { scale: 1.5, upright: [0, 1] as const };

function roi(partial: Partial<RegionOfInterest>): RegionOfInterest {
  return { xCenter: 0.5, yCenter: 0.5, sizePixels: 128, rotationRad: 0, ...partial };
}

/** Source position (continuous) of the center of a crop pixel, by the definition in models/README.md section 5. */
function sourceOf(
  affine: readonly number[],
  column: number,
  row: number,
): { x: number; y: number } {
  const [x0 = 0, y0 = 0, ux = 0, uy = 0, vx = 0, vy = 0] = affine;
  return {
    x: (x0 + column * ux + row * vx) / 65536 + 0.5,
    y: (y0 + column * uy + row * vy) / 65536 + 0.5,
  };
}

describe('roiFromBox', () => {
  it('is a square of scale times the longer side around the center of the box', () => {
    const result = roiFromBox({ x: 100, y: 50, width: 40, height: 80 }, frame, 1.5);
    expect(result).toEqual({
      xCenter: 120 / 640,
      yCenter: 90 / 480,
      sizePixels: 120,
      rotationRad: 0,
    });
  });

  it('never has an empty side', () => {
    expect(roiFromBox({ x: 10, y: 10, width: 0, height: 0 }, frame, 1.5).sizePixels).toBe(2);
  });
});

describe('roiFromLandmarks', () => {
  it('equals the box rule when the upright line is level', () => {
    const points = [
      { x: 100, y: 100 },
      { x: 140, y: 100 },
      { x: 120, y: 160 },
    ];
    expect(roiFromLandmarks(points, frame, rule)).toEqual(
      roiFromBox({ x: 100, y: 100, width: 40, height: 60 }, frame, 1.5),
    );
  });

  it('measures the box along its own axes: landmarks turned by 30 degrees give the same square, turned', () => {
    const level = [
      { x: -20, y: -30 },
      { x: 20, y: -30 },
      { x: 0, y: 30 },
    ];
    const angle = Math.PI / 6;
    const turned = level.map(({ x, y }) => ({
      x: 300 + x * Math.cos(angle) - y * Math.sin(angle),
      y: 200 + x * Math.sin(angle) + y * Math.cos(angle),
    }));
    const result = roiFromLandmarks(turned, frame, rule);
    expect(result.rotationRad).toBeCloseTo(angle, 12);
    expect(result.sizePixels).toBeCloseTo(90, 9);
    expect(result.xCenter * 640).toBeCloseTo(300, 9);
    expect(result.yCenter * 480).toBeCloseTo(200, 9);
  });

  it('turns clockwise in the image when the line falls to the right', () => {
    const down = roiFromLandmarks(
      [
        { x: 0, y: 0 },
        { x: 0, y: 10 },
      ],
      frame,
      rule,
    );
    expect(down.rotationRad).toBeCloseTo(Math.PI / 2, 12);
  });
});

describe('roiToCropAffine', () => {
  it('is the identity for a region of the crop size', () => {
    const { affine, taps } = roiToCropAffine(
      roi({ xCenter: 64 / 640, yCenter: 64 / 480 }),
      frame,
      128,
    );
    expect(affine).toEqual([0, 0, 65536, 0, 0, 65536]);
    expect(taps).toBe(1);
  });

  it('puts the centers of crop pixels in the middle of the source cells they cover', () => {
    // Side 256 over 128 crop pixels: crop pixel (0, 0) covers source 64..66, its center is 65, in pixel indices 64.5.
    const { affine, taps } = roiToCropAffine(
      roi({ xCenter: 192 / 640, yCenter: 192 / 480, sizePixels: 256 }),
      frame,
      128,
    );
    expect(affine).toEqual([64.5 * 65536, 64.5 * 65536, 131072, 0, 0, 131072]);
    expect(taps).toBe(2);
  });

  it('walks the crop row backwards for a mirror image', () => {
    const region = roi({ rotationRad: 0.4, sizePixels: 200 });
    const plain = roiToCropAffine(region, frame, 128);
    const mirrored = roiToCropAffine(region, frame, 128, true);
    expect(mirrored.taps).toBe(plain.taps);
    for (const [column, row] of [
      [0, 0],
      [127, 0],
      [30, 100],
    ] as const) {
      const there = sourceOf(mirrored.affine, column, row);
      const here = sourceOf(plain.affine, 127 - column, row);
      expect(there.x).toBeCloseTo(here.x, 2);
      expect(there.y).toBeCloseTo(here.y, 2);
    }
  });

  it('walks down the frame along the crop row when turned by 90 degrees', () => {
    const { affine } = roiToCropAffine(roi({ rotationRad: Math.PI / 2 }), frame, 128);
    expect(affine.slice(2)).toEqual([0, 65536, -65536, 0]);
    expect(sourceOf(affine, 0, 0)).toEqual({ x: 320 + 63.5, y: 240 - 63.5 });
  });

  it.each([
    [128, 1],
    [128 * 1.25, 1],
    [128 * 1.26, 2],
    [128 * 2.25, 2],
    [128 * 2.3, 3],
    [128 * 40, 8],
  ])('takes taps by the crop step: side %d gives %d', (sizePixels, taps) => {
    expect(roiToCropAffine(roi({ sizePixels }), frame, 128).taps).toBe(taps);
  });

  it('keeps every crop position addressable, whatever the landmarks are', () => {
    const coordinate = fc.double({ min: -1e9, max: 1e9, noNaN: true });
    const point = fc.record({ x: coordinate, y: coordinate });
    fc.assert(
      fc.property(
        fc.array(point, { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 8192 }),
        fc.integer({ min: 1, max: 8192 }),
        fc.constantFrom(8, 128, 256),
        (points, width, height, cropSize) => {
          const size = { width, height };
          const { affine } = roiToCropAffine(roiFromLandmarks(points, size, rule), size, cropSize);
          for (const [i, j] of [
            [0, 0],
            [cropSize, 0],
            [0, cropSize],
            [cropSize, cropSize],
          ] as const) {
            const { x, y } = sourceOf(affine, i - 0.5, j - 0.5);
            expect(Math.max(Math.abs(x), Math.abs(y))).toBeLessThan(16384);
          }
          expect(affine.every(Number.isSafeInteger)).toBe(true);
        },
      ),
    );
  });
});

describe('projectLandmarks', () => {
  it('takes the center of the crop to the center of the region', () => {
    const region = roi({ xCenter: 0.3, yCenter: 0.6, rotationRad: 0.4 });
    const [point] = projectLandmarks([{ x: 64, y: 64, score: 1 }], region, frame, 128);
    expect(point?.x).toBeCloseTo(0.3, 12);
    expect(point?.y).toBeCloseTo(0.6, 12);
    expect(point?.score).toBe(1);
  });

  it('agrees with the affine that the cropper uses', () => {
    const region = roi({ xCenter: 0.41, yCenter: 0.37, sizePixels: 217, rotationRad: -0.7 });
    const { affine } = roiToCropAffine(region, frame, 128);
    for (const [i, j] of [
      [0, 0],
      [127, 3],
      [20, 127],
    ] as const) {
      const expected = sourceOf(affine, i, j);
      const [point] = projectLandmarks([{ x: i + 0.5, y: j + 0.5 }], region, frame, 128);
      expect(Math.abs((point?.x ?? NaN) * 640 - expected.x)).toBeLessThan(0.002);
      expect(Math.abs((point?.y ?? NaN) * 480 - expected.y)).toBeLessThan(0.002);
    }
  });
});

describe('two regions', () => {
  const shifted = (pixels: number, sizePixels = 128): RegionOfInterest =>
    roi({ xCenter: 0.5 + pixels / 640, sizePixels });

  it('are as far apart as their centers, in sides of the larger one', () => {
    expect(centerDistance(roi({}), shifted(64), frame)).toBeCloseTo(0.5, 12);
    expect(centerDistance(shifted(64, 10), roi({}), frame)).toBeCloseTo(0.5, 12);
    const diagonal = roi({ xCenter: 0.5 + 30 / 640, yCenter: 0.5 + 40 / 480, sizePixels: 100 });
    expect(centerDistance(roi({ sizePixels: 100 }), diagonal, frame)).toBeCloseTo(0.5, 12);
  });

  it.each([
    [0, 128, 1],
    [32, 128, 0.75],
    [64, 128, 0.5],
    [129, 128, 0],
    [0, 32, 1],
    [64, 32, 0.5],
    [200, 600, 1],
  ])('shifted by %d, side %d, cover %d of the smaller one', (pixels, sizePixels, share) => {
    expect(coveredShare(roi({}), shifted(pixels, sizePixels), frame)).toBeCloseTo(share, 12);
    expect(coveredShare(shifted(pixels, sizePixels), roi({}), frame)).toBeCloseTo(share, 12);
  });
});
