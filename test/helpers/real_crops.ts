/**
 * Regions of real photos to run networks on: squares of all sizes and rotations around where faces usually are.
 * Draws regions only; decoding photos is the runtime's business.
 */
import { roiToCropAffine, type Crop, type FrameSize } from '../../src/pipeline/roi';
import type { Random } from './random';

/** A random square: a fifth of the frame to more than all of it, its center in the middle half. */
export function drawCrop(random: Random, frame: FrameSize, cropSize: number): Crop {
  const roi = {
    xCenter: 0.25 + random.next() / 2,
    yCenter: 0.25 + random.next() / 2,
    sizePixels: Math.min(frame.width, frame.height) * (0.2 + random.next()),
    rotationRad: (random.next() - 0.5) * 2,
  };
  return roiToCropAffine(roi, frame, cropSize);
}
