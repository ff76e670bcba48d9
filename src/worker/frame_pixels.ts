/**
 * Frames to RGBA bytes, the same for every backend: drawn upright and in display size onto one canvas that is kept. Finds
 * nothing.
 */
import { BitmarksError } from '../errors';
import { MAX_FRAME_SIDE } from '../model/crop';
import type { FramePayload } from '../protocol/service';

export interface FramePixels {
  /** RGBA, row-major. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

export class FrameReader {
  #canvas: OffscreenCanvas | null = null;

  /** The frame stays open. Throws 'input/invalid'. */
  async read(frame: FramePayload): Promise<FramePixels> {
    switch (frame.kind) {
      case 'pixels':
        return checkSize({ ...frame, data: new Uint8ClampedArray(frame.data) });
      case 'bitmap':
        return this.#draw(frame.bitmap, frame.bitmap.width, frame.bitmap.height);
      case 'videoFrame':
        return this.#draw(frame.frame, frame.frame.displayWidth, frame.frame.displayHeight);
      case 'blob': {
        const bitmap = await decode(frame.blob);
        try {
          return this.#draw(bitmap, bitmap.width, bitmap.height);
        } finally {
          bitmap.close();
        }
      }
    }
  }

  /** Frees the canvas. */
  close(): void {
    this.#canvas = null;
  }

  #draw(image: ImageBitmap | VideoFrame, width: number, height: number): FramePixels {
    checkSize({ width, height });
    this.#canvas ??= new OffscreenCanvas(width, height);
    const canvas = this.#canvas;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    // Opaque: what is transparent in the image is black, whatever was drawn before.
    const context = canvas.getContext('2d', { willReadFrequently: true, alpha: false });
    if (context === null) {
      this.#canvas = null;
      throw new BitmarksError(
        'input/invalid',
        `no canvas of ${width} x ${height} pixels could be made to read the image; give a smaller one`,
      );
    }
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0, width, height);
    return { data: context.getImageData(0, 0, width, height).data, width, height };
  }
}

async function decode(blob: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(blob, { imageOrientation: 'from-image' });
  } catch (cause) {
    throw new BitmarksError(
      'input/invalid',
      `the blob of ${blob.size} bytes and type '${blob.type}' is no image that this browser can decode`,
      { cause },
    );
  }
}

function checkSize<T extends { readonly width: number; readonly height: number }>(size: T): T {
  const { width, height } = size;
  if (width < 1 || height < 1 || width > MAX_FRAME_SIDE || height > MAX_FRAME_SIDE) {
    throw new BitmarksError(
      'input/invalid',
      `the image is ${width} x ${height} pixels, expected 1 to ${MAX_FRAME_SIDE} per side; scale it first`,
    );
  }
  return size;
}
