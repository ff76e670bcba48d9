/**
 * Draws landmarks over the picture: on a canvas of its own, in device pixels, redrawn when its box changes. Knows neither
 * where pictures come from nor how faces are found.
 */
import type { Face, FaceLandmarkerResult } from '../src/index';

export interface OverlayOptions {
  readonly points: boolean;
  readonly lines: boolean;
  readonly numbers: boolean;
}

interface Shown {
  readonly result: Pick<FaceLandmarkerResult, 'faces' | 'width' | 'height'>;
  readonly connections: readonly (readonly [number, number])[];
  /** Whether the picture is shown mirrored. Numbers must stay readable, so points move and not the canvas. */
  readonly mirrored: boolean;
}

const INK = '#5dfbd0';
const SHADOW = 'rgb(4 12 20 / 75%)';

export class Overlay {
  readonly #canvas: HTMLCanvasElement;
  #options: OverlayOptions = { points: true, lines: true, numbers: false };
  #shown: Shown | null = null;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    new ResizeObserver(() => {
      this.#draw();
    }).observe(canvas);
  }

  set options(options: OverlayOptions) {
    this.#options = options;
    this.#draw();
  }

  /** Null clears. */
  show(shown: Shown | null): void {
    this.#shown = shown;
    this.#canvas.setAttribute('aria-label', labelOf(shown));
    this.#draw();
  }

  #draw(): void {
    const canvas = this.#canvas;
    const context = canvas.getContext('2d');
    const box = canvas.getBoundingClientRect();
    const density = window.devicePixelRatio;
    const width = Math.round(box.width * density);
    const height = Math.round(box.height * density);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    context?.clearRect(0, 0, width, height);
    if (context === null || this.#shown === null) return;
    const { result, connections, mirrored } = this.#shown;
    // The picture is shown whole and centered, as `object-fit: contain` has it.
    const scale = Math.min(width / result.width, height / result.height);
    const [shownWidth, shownHeight] = [result.width * scale, result.height * scale];
    const place = ({ x, y }: { readonly x: number; readonly y: number }): [number, number] => [
      (width - shownWidth) / 2 + (mirrored ? 1 - x : x) * shownWidth,
      (height - shownHeight) / 2 + y * shownHeight,
    ];
    for (const face of result.faces) {
      const points = face.landmarks.map(place);
      // Marks grow with the face, within what can be told apart and seen.
      const size = clamp((face.box.width * shownWidth) / 80, 1.6 * density, 4 * density);
      if (this.#options.lines) drawLines(context, points, connections, size);
      if (this.#options.points) drawPoints(context, points, face, size);
      if (this.#options.numbers) drawNumbers(context, points, Math.max(9 * density, size * 3));
    }
  }
}

function drawLines(
  context: CanvasRenderingContext2D,
  points: readonly (readonly [number, number])[],
  connections: readonly (readonly [number, number])[],
  size: number,
): void {
  const path = new Path2D();
  for (const [from, to] of connections) {
    const start = points[from];
    const end = points[to];
    if (start === undefined || end === undefined) continue;
    path.moveTo(...start);
    path.lineTo(...end);
  }
  context.lineCap = 'round';
  context.strokeStyle = SHADOW;
  context.lineWidth = size * 1.3;
  context.stroke(path);
  context.strokeStyle = INK;
  context.globalAlpha = 0.8;
  context.lineWidth = size * 0.6;
  context.stroke(path);
  context.globalAlpha = 1;
}

/** Points that the network is unsure of are drawn hollow. */
function drawPoints(
  context: CanvasRenderingContext2D,
  points: readonly (readonly [number, number])[],
  face: Face,
  size: number,
): void {
  context.lineWidth = Math.max(1, size * 0.4);
  for (const [i, [x, y]] of points.entries()) {
    const isSure = (face.landmarks[i]?.score ?? 0) >= 0.5;
    context.beginPath();
    context.arc(x, y, size, 0, 2 * Math.PI);
    context.fillStyle = isSure ? INK : SHADOW;
    context.strokeStyle = isSure ? SHADOW : INK;
    context.fill();
    context.stroke();
  }
}

function drawNumbers(
  context: CanvasRenderingContext2D,
  points: readonly (readonly [number, number])[],
  size: number,
): void {
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.lineWidth = size / 4;
  context.lineJoin = 'round';
  context.strokeStyle = SHADOW;
  context.fillStyle = '#fff';
  for (const [i, [x, y]] of points.entries()) {
    context.strokeText(String(i), x + size * 0.35, y - size * 0.35);
    context.fillText(String(i), x + size * 0.35, y - size * 0.35);
  }
}

function labelOf(shown: Shown | null): string {
  if (shown === null || shown.result.faces.length === 0) return 'No landmarks';
  return shown.result.faces
    .map(({ landmarks, box }) => {
      const x = percent(shown.mirrored ? 1 - (box.x + box.width / 2) : box.x + box.width / 2);
      const y = percent(box.y + box.height / 2);
      return `${landmarks.length} landmarks of a face at ${x} from the left and ${y} from the top`;
    })
    .join('; ');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
