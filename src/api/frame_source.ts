/**
 * Takes a snapshot of whatever shows an image, as something that can be handed to the worker. The caller's own object is
 * never closed or detached. Does not look at pixels, and does not wait for a video.
 */
import { BitmarksError } from '../errors';
import type { FramePayload } from '../protocol/service';

/** What detect and detectForVideo take. */
export type ImageSource =
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData
  | VideoFrame
  | Blob;

export interface CapturedFrame {
  readonly payload: FramePayload;
  /** To be transferred with the payload. */
  readonly transfer: Transferable[];
}

/**
 * Throws 'input/invalid' for what is no image, holds no pixels yet, or may not be read. For elements and canvases the
 * snapshot is of the moment of the call.
 */
export async function captureFrame(source: ImageSource): Promise<CapturedFrame> {
  const kind = kindOf(source);
  try {
    switch (kind) {
      case 'HTMLImageElement':
        return await captureImage(source as HTMLImageElement);
      case 'HTMLVideoElement':
        return await captureVideo(source as HTMLVideoElement);
      case 'HTMLCanvasElement':
      case 'OffscreenCanvas':
      case 'ImageBitmap':
        return await captureBitmap(source as HTMLCanvasElement | OffscreenCanvas | ImageBitmap);
      case 'ImageData':
        return captureImageData(source as ImageData);
      case 'VideoFrame':
        return captured({ kind: 'videoFrame', frame: (source as VideoFrame).clone() });
      case 'Blob':
      case 'File':
        return { payload: { kind: 'blob', blob: source as Blob }, transfer: [] };
    }
  } catch (error) {
    throw readable(error);
  }
  throw invalid(
    `a value of type ${kind} is no image; give an img, video or canvas element, an OffscreenCanvas, ImageBitmap, ImageData, ` +
      'VideoFrame or Blob',
  );
}

/** Name of the class of an object, e.g. 'HTMLVideoElement'; right also for objects of another window. */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Errors of capturing or of sending a frame, in words that say what to do. */
export function readable(error: unknown): unknown {
  if (error instanceof BitmarksError || !(error instanceof DOMException)) return error;
  switch (error.name) {
    // A canvas or bitmap that holds foreign pixels shows it only when it is sent.
    case 'SecurityError':
    case 'DataCloneError':
      return invalid(
        'the image comes from another origin and may not be read; set crossorigin="anonymous" on the element before its ' +
          'src, and let that server send Access-Control-Allow-Origin',
        error,
      );
    case 'InvalidStateError':
    case 'EncodingError':
      return invalid(
        'the image cannot be read; it is closed, broken, or has no size of its own (an SVG needs width and height)',
        error,
      );
    default:
      return invalid(`the image cannot be read: ${error.message}`, error);
  }
}

async function captureImage(image: HTMLImageElement): Promise<CapturedFrame> {
  if (!image.complete) await image.decode();
  if (image.naturalWidth === 0 || image.naturalHeight === 0) {
    throw invalid('the img element shows no image; set its src and wait for its load event');
  }
  return captureBitmap(image);
}

async function captureVideo(video: HTMLVideoElement): Promise<CapturedFrame> {
  if (video.readyState < video.HAVE_CURRENT_DATA || video.videoWidth === 0) {
    throw invalid('the video has no frame yet; start it and wait for its loadeddata event');
  }
  if (typeof VideoFrame === 'function') {
    try {
      return captured({ kind: 'videoFrame', frame: new VideoFrame(video) });
    } catch (error) {
      // Some videos, protected ones for example, can be drawn but not be taken as a VideoFrame.
      if (error instanceof DOMException && error.name === 'SecurityError') throw error;
    }
  }
  return captureBitmap(video);
}

async function captureBitmap(
  source: HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap,
): Promise<CapturedFrame> {
  if (
    source.width === 0 &&
    source.height === 0 &&
    !('naturalWidth' in source || 'videoWidth' in source)
  ) {
    throw invalid(
      'the canvas or bitmap is empty; give it a size, and do not close it before the call',
    );
  }
  return captured({ kind: 'bitmap', bitmap: await createImageBitmap(source) });
}

function captureImageData({ data, width, height }: ImageData): CapturedFrame {
  if (!(data instanceof Uint8ClampedArray)) {
    throw invalid('the ImageData holds floats; make it with pixelFormat "rgba-unorm8"');
  }
  const copy = data.slice().buffer;
  return { payload: { kind: 'pixels', data: copy, width, height }, transfer: [copy] };
}

function captured(
  payload: Extract<FramePayload, { kind: 'bitmap' | 'videoFrame' }>,
): CapturedFrame {
  return {
    payload,
    transfer: [payload.kind === 'bitmap' ? payload.bitmap : payload.frame],
  };
}

function invalid(message: string, cause?: unknown): BitmarksError {
  return new BitmarksError('input/invalid', message, cause === undefined ? {} : { cause });
}
