/**
 * One scene as every kind of image that a page can hold. Runs in browsers.
 */
import type { Pixels } from './dots';

export function imageDataOf({ data, width, height }: Pixels): ImageData {
  return new ImageData(data, width, height);
}

export function canvasOf(pixels: Pixels): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext('2d')?.putImageData(imageDataOf(pixels), 0, 0);
  return canvas;
}

export function blobOf(pixels: Pixels, type = 'image/png'): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvasOf(pixels).toBlob((blob) => {
      if (blob === null) reject(new Error('no blob'));
      else resolve(blob);
    }, type);
  });
}

export async function imageOf(pixels: Pixels): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = URL.createObjectURL(await blobOf(pixels));
  await image.decode();
  return image;
}

/** A playing video of a canvas, which is drawn anew for every frame. */
export async function videoOf(
  paint: () => Pixels,
): Promise<{ video: HTMLVideoElement; stream: MediaStream; stop: () => void }> {
  const canvas = canvasOf(paint());
  const stream = canvas.captureStream(15);
  const timer = setInterval(() => {
    canvas.getContext('2d')?.putImageData(imageDataOf(paint()), 0, 0);
  }, 60);
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = stream;
  await video.play();
  return {
    video,
    stream,
    stop: () => {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
    },
  };
}

/** The pixels turned by 90 degrees counterclockwise. */
export function turnedLeft({ data, width, height }: Pixels): Pixels {
  const turned = new Uint8ClampedArray(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = (y * width + x) * 4;
      turned.set(data.subarray(from, from + 4), ((width - 1 - x) * height + y) * 4);
    }
  }
  return { data: turned, width: height, height: width };
}

/** A JPEG with an EXIF block that holds nothing but the orientation. */
export async function jpegWithOrientation(pixels: Pixels, orientation: number): Promise<Blob> {
  const jpeg = new Uint8Array(await (await blobOf(pixels, 'image/jpeg')).arrayBuffer());
  const exif = [
    ...[0xff, 0xe1, 0x00, 0x22, 0x45, 0x78, 0x69, 0x66, 0x00, 0x00],
    ...[0x4d, 0x4d, 0x00, 0x2a, 0x00, 0x00, 0x00, 0x08, 0x00, 0x01],
    ...[0x01, 0x12, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, orientation, 0x00, 0x00],
    ...[0x00, 0x00, 0x00, 0x00],
  ];
  return new Blob([jpeg.subarray(0, 2), Uint8Array.from(exif), jpeg.subarray(2)], {
    type: 'image/jpeg',
  });
}
