/**
 * The arithmetic of models/README.md section 2 as plain loops: what every kernel must equal, value for value.
 * Written to be read, not to be fast. Images are HWC; shapes are [height, width, channels].
 */
import { maxActivation, roundingOf, shapeLength } from './graph';
import type { NormTensor, Shape } from './types';

/** Nearest 16-bit value. */
export function sat16(value: number): number {
  return Math.max(-32768, Math.min(32767, value));
}

/** One activation: y = (x*m + 2^14) >> 15, z = sat16(y + b), clamp(z >> s, 0, qmax). */
export function requantizeValue(
  x: number,
  multiplier: number,
  bias: number,
  shift: number,
  qmax: number,
): number {
  const scaled = (x * multiplier + 16384) >> 15;
  return Math.max(0, Math.min(qmax, sat16(scaled + bias) >> shift));
}

/** A 16-bit feature and its shape. */
export interface Feature {
  readonly data: Int16Array;
  readonly shape: Shape;
}

/** Unsigned activations and their shape. */
export interface Activations {
  readonly data: Uint8Array;
  readonly shape: Shape;
}

/** Image bytes to activations: v >> shift. */
export function imageActivations(image: Uint8Array, shape: Shape, shift: number): Activations {
  return { data: image.map((value) => value >> shift), shape };
}

/** Requantizes the channel concatenation of features of equal height and width. */
export function requantize(
  parts: readonly Feature[],
  norm: NormTensor,
  inputBits: number,
): Activations {
  const [height, width] = parts[0]?.shape ?? [0, 0, 0];
  const channels = parts.reduce((sum, part) => sum + part.shape[2], 0);
  const qmax = maxActivation(inputBits);
  const data = new Uint8Array(height * width * channels);
  let channelOffset = 0;
  for (const part of parts) {
    const partChannels = part.shape[2];
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let c = 0; c < partChannels; c++) {
        const channel = channelOffset + c;
        data[pixel * channels + channel] = requantizeValue(
          part.data[pixel * partChannels + c] ?? 0,
          norm.multiplier[channel] ?? 0,
          norm.bias[channel] ?? 0,
          norm.shift,
          qmax,
        );
      }
    }
    channelOffset += partChannels;
  }
  return { data, shape: [height, width, channels] };
}

/** What a convolution needs beside its input: a Conv2dNode has these fields. */
export interface ConvGeometry {
  readonly kernel: number;
  readonly stride: number;
  readonly outChannels: number;
  readonly shift: number;
}

/** Zero-padded convolution: sat16((sum + r) >> t) with weights in OHWI order. */
export function conv2d(input: Activations, weights: Int8Array, geometry: ConvGeometry): Feature {
  const { kernel, stride, outChannels, shift } = geometry;
  const [height, width, channels] = input.shape;
  const shape: Shape = [Math.ceil(height / stride), Math.ceil(width / stride), outChannels];
  const padding = (kernel - 1) / 2;
  const rounding = roundingOf(shift);
  const data = new Int16Array(shapeLength(shape));
  let index = 0;
  for (let y = 0; y < shape[0]; y++) {
    for (let x = 0; x < shape[1]; x++) {
      for (let o = 0; o < outChannels; o++) {
        let sum = 0;
        for (let ky = 0; ky < kernel; ky++) {
          const inputY = y * stride + ky - padding;
          if (inputY < 0 || inputY >= height) continue;
          for (let kx = 0; kx < kernel; kx++) {
            const inputX = x * stride + kx - padding;
            if (inputX < 0 || inputX >= width) continue;
            const inputBase = (inputY * width + inputX) * channels;
            const weightBase = ((o * kernel + ky) * kernel + kx) * channels;
            for (let i = 0; i < channels; i++) {
              sum += (weights[weightBase + i] ?? 0) * (input.data[inputBase + i] ?? 0);
            }
          }
        }
        data[index++] = sat16((sum + rounding) >> shift);
      }
    }
  }
  return { data, shape };
}

/** Largest value of each 2x2 window, stride 2; height and width are even. */
export function maxPool2d(input: Feature): Feature {
  const [height, width, channels] = input.shape;
  const shape: Shape = [height / 2, width / 2, channels];
  const data = new Int16Array(shapeLength(shape));
  const at = (y: number, x: number, c: number): number =>
    input.data[(y * width + x) * channels + c] ?? 0;
  let index = 0;
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      for (let c = 0; c < channels; c++) {
        data[index++] = Math.max(
          at(y, x, c),
          at(y, x + 1, c),
          at(y + 1, x, c),
          at(y + 1, x + 1, c),
        );
      }
    }
  }
  return { data, shape };
}

/** Nearest neighbour, twice the size. */
export function upsample2d(input: Feature): Feature {
  const [height, width, channels] = input.shape;
  const shape: Shape = [height * 2, width * 2, channels];
  const data = new Int16Array(shapeLength(shape));
  let index = 0;
  for (let y = 0; y < height * 2; y++) {
    for (let x = 0; x < width * 2; x++) {
      const base = ((y >> 1) * width + (x >> 1)) * channels;
      for (let c = 0; c < channels; c++) data[index++] = input.data[base + c] ?? 0;
    }
  }
  return { data, shape };
}
