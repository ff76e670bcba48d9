/**
 * Draws landmarks over the picture: on a canvas of its own, in device pixels, redrawn when its box changes. Knows neither
 * where pictures come from nor how subjects are found.
 */
import type { Subject } from '../src/index';
import { subjectsOf, type Part } from './sight';

export interface OverlayOptions {
  readonly points: boolean;
  readonly lines: boolean;
  readonly numbers: boolean;
}

interface Shown {
  readonly parts: readonly Part[];
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
    for (const part of this.#shown.parts) this.#drawPart(context, part, this.#shown.mirrored);
  }

  #drawPart(context: CanvasRenderingContext2D, part: Part, mirrored: boolean): void {
    const { result, info } = part;
    const { width, height } = this.#canvas;
    const density = window.devicePixelRatio;
    // The picture is shown whole and centered, as `object-fit: contain` has it.
    const scale = Math.min(width / result.width, height / result.height);
    const [shownWidth, shownHeight] = [result.width * scale, result.height * scale];
    const place = ({ x, y }: { readonly x: number; readonly y: number }): [number, number] => [
      (width - shownWidth) / 2 + (mirrored ? 1 - x : x) * shownWidth,
      (height - shownHeight) / 2 + y * shownHeight,
    ];
    for (const subject of subjectsOf(part)) {
      const marks = subject.landmarks.map((landmark) => ({
        at: place(landmark),
        score: landmark.score,
        // A joint that is not in the picture has no place to be drawn at.
        isPresent: landmark.score >= info.model.minLandmarkScore,
      }));
      // Marks grow with the subject, within what can be told apart and seen.
      const side = Math.max(subject.box.width * shownWidth, subject.box.height * shownHeight);
      const size = clamp(side / 80, 1.6 * density, 4 * density);
      const { connections } = info.model;
      if (this.#options.lines) drawLines(context, marks, connections, size);
      if (this.#options.points) drawPoints(context, marks, size);
      if (this.#options.numbers) drawNumbers(context, marks, Math.max(9 * density, size * 3));
    }
  }
}

interface Mark {
  /** Device pixels. */
  readonly at: readonly [number, number];
  readonly score: number;
  readonly isPresent: boolean;
}

/** Lines fade with the less sure end: a hidden arm is paler than the other. */
function drawLines(
  context: CanvasRenderingContext2D,
  marks: readonly Mark[],
  connections: readonly (readonly [number, number])[],
  size: number,
): void {
  context.lineCap = 'round';
  for (const [from, to] of connections) {
    const [start, end] = [marks[from], marks[to]];
    if (start === undefined || end === undefined) continue;
    if (!start.isPresent || !end.isPresent) continue;
    context.beginPath();
    context.moveTo(...start.at);
    context.lineTo(...end.at);
    context.globalAlpha = 0.35 + 0.5 * Math.min(start.score, end.score);
    context.strokeStyle = SHADOW;
    context.lineWidth = size * 1.3;
    context.stroke();
    context.strokeStyle = INK;
    context.lineWidth = size * 0.6;
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Points that the network is unsure of are drawn hollow. */
function drawPoints(context: CanvasRenderingContext2D, marks: readonly Mark[], size: number): void {
  context.lineWidth = Math.max(1, size * 0.4);
  for (const { at, score, isPresent } of marks) {
    if (!isPresent) continue;
    const isSure = score >= 0.5;
    context.beginPath();
    context.arc(...at, size, 0, 2 * Math.PI);
    context.fillStyle = isSure ? INK : SHADOW;
    context.strokeStyle = isSure ? SHADOW : INK;
    context.fill();
    context.stroke();
  }
}

function drawNumbers(
  context: CanvasRenderingContext2D,
  marks: readonly Mark[],
  size: number,
): void {
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.lineWidth = size / 4;
  context.lineJoin = 'round';
  context.strokeStyle = SHADOW;
  context.fillStyle = '#fff';
  for (const [i, { at, isPresent }] of marks.entries()) {
    if (!isPresent) continue;
    const [x, y] = at;
    context.strokeText(String(i), x + size * 0.35, y - size * 0.35);
    context.fillText(String(i), x + size * 0.35, y - size * 0.35);
  }
}

function labelOf(shown: Shown | null): string {
  const labels = (shown?.parts ?? []).flatMap((part) => {
    const kind = part.kind === 'face' ? 'face' : 'person';
    return subjectsOf(part).map((subject) =>
      labelOfSubject(subject, kind, shown?.mirrored === true),
    );
  });
  return labels.join('; ') || 'No landmarks';
}

function labelOfSubject({ landmarks, box }: Subject, kind: string, mirrored: boolean): string {
  const middle = box.x + box.width / 2;
  const x = percent(mirrored ? 1 - middle : middle);
  const y = percent(box.y + box.height / 2);
  return `${landmarks.length} landmarks of a ${kind} at ${x} from the left and ${y} from the top`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
