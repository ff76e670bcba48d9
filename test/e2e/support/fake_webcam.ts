/**
 * A film of a photo for Chromium's fake camera: the face wanders slowly through a 640 x 480 picture and comes back to where
 * it began, as Chromium plays the file in a loop. Written as y4m, which is raw YUV 4:2:0 with one line of header.
 */
import { openSync, closeSync, writeSync } from 'node:fs';
import sharp from 'sharp';

export const WEBCAM = { width: 640, height: 480, framesPerSecond: 20, frames: 60 } as const;
/** Side of the photo in the film, pixels; the room around it repeats the photo's edge. */
const PHOTO_SIDE = 600;
/** How far the photo moves from the middle, pixels. */
export const WANDER = { x: 80, y: 30 } as const;

/** Flags that make Chromium play the file wherever a page asks for a camera, without asking the user. */
export function webcamFlags(file: string): string[] {
  return [
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${file}`,
  ];
}

/** Writes the film of `photo` (512 x 512) to `file`. */
export async function writeWebcamFilm(photo: string, file: string): Promise<void> {
  const { width, height, framesPerSecond, frames } = WEBCAM;
  const canvas = await paintCanvas(photo, width + 2 * WANDER.x, height + 2 * WANDER.y);
  const output = openSync(file, 'w');
  try {
    writeSync(output, `YUV4MPEG2 W${width} H${height} F${framesPerSecond}:1 Ip A1:1 C420jpeg\n`);
    for (let frame = 0; frame < frames; frame += 1) {
      const phase = (2 * Math.PI * frame) / frames;
      // Even, so that a pixel of the chroma planes stays a pixel.
      const left = 2 * Math.round((WANDER.x * (1 + Math.cos(phase))) / 2);
      const top = 2 * Math.round((WANDER.y * (1 + Math.sin(phase))) / 2);
      writeSync(output, 'FRAME\n');
      for (const { pixels, stride, halving } of canvas) {
        for (let y = 0; y < height / halving; y += 1) {
          const start = (top / halving + y) * stride + left / halving;
          writeSync(output, pixels, start, width / halving);
        }
      }
    }
  } finally {
    closeSync(output);
  }
}

interface Plane {
  readonly pixels: Uint8Array;
  readonly stride: number;
  /** Pixels of the picture per pixel of the plane, in each direction. */
  readonly halving: 1 | 2;
}

/** Planes Y, U and V of the photo on a wider and lower canvas, both sides even. BT.601 in the range 16..235. */
async function paintCanvas(photo: string, width: number, height: number): Promise<Plane[]> {
  const cut = Math.floor((PHOTO_SIDE - height) / 2);
  const strip = await sharp(photo)
    .resize(PHOTO_SIDE, PHOTO_SIDE)
    .extract({ left: 0, top: cut, width: PHOTO_SIDE, height })
    .toBuffer();
  const margin = (width - PHOTO_SIDE) / 2;
  const data = await sharp(strip)
    .extend({ left: Math.floor(margin), right: Math.ceil(margin), extendWith: 'copy' })
    .removeAlpha()
    .raw()
    .toBuffer();
  const at = (i: number): number => data[i] ?? 0;
  const luma = new Uint8Array(width * height);
  for (let i = 0; i < luma.length; i += 1) {
    luma[i] = 16.5 + 0.2568 * at(3 * i) + 0.5041 * at(3 * i + 1) + 0.0979 * at(3 * i + 2);
  }
  const [blue, red] = [new Uint8Array(luma.length / 4), new Uint8Array(luma.length / 4)];
  for (let y = 0, i = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2, i += 1) {
      const corners = [0, 1, width, width + 1].map((step) => 3 * (y * width + x + step));
      const [r = 0, g = 0, b = 0] = [0, 1, 2].map(
        (channel) => corners.reduce((sum, corner) => sum + at(corner + channel), 0) / 4,
      );
      blue[i] = 128.5 - 0.1482 * r - 0.291 * g + 0.4392 * b;
      red[i] = 128.5 + 0.4392 * r - 0.3678 * g - 0.0714 * b;
    }
  }
  return [
    { pixels: luma, stride: width, halving: 1 },
    { pixels: blue, stride: width / 2, halving: 2 },
    { pixels: red, stride: width / 2, halving: 2 },
  ];
}
