/**
 * What the engines must reach, written down before measuring, and whether a measurement shows it. A bar whose rows did not run
 * is not measured, which is not the same as missed.
 */
import {
  median,
  quantile,
  ratiosByRound,
  type Contestant,
  type PageDownload,
  type Workload,
} from './measurement';

export interface Bar {
  readonly text: string;
  readonly needed: number;
  /** null: not measured. */
  readonly measured: number | null;
  /** Of the middle half of the rounds, where the figure is a ratio. */
  readonly quartiles: readonly [number, number] | null;
  readonly verdict: 'holds' | 'missed' | 'not measured';
}

/** `slow` must take at least so many times as long as `fast`. */
interface RatioBar {
  readonly text: string;
  readonly slow: string;
  readonly fast: string;
  readonly workload: Workload;
  readonly needed: number;
}

const RATIO_BARS: readonly RatioBar[] = [
  bar('face pack, WASM, against its float graph on tfjs-wasm', 'face/tfjs-wasm', 'face/relaxed', 5),
  bar('face pack, WASM, against float32 ONNX Runtime', 'face/ort-float32', 'face/relaxed', 4),
  bar('face pack, WASM, against int8 ONNX Runtime', 'face/ort-int8', 'face/relaxed', 2),
  bar('face pack, WASM SIMD128, against tfjs-wasm', 'face/tfjs-wasm', 'face/simd128', 2.5),
  bar('face pack, WebGPU, against tfjs-webgpu', 'face/tfjs-webgpu', 'face/webgpu', 4),
  bar('pose pack, WASM, against MoveNet Lightning', 'pose/movenet', 'pose/relaxed', 3),
  bar('face pack, two threads against one', 'face/relaxed', 'face/relaxed-2-threads', 1.7),
  bar('a page with faces against face-api', 'face/face-api', 'face/bitmarks', 1, 'frame'),
  bar('a page with faces against Human', 'face/human', 'face/bitmarks', 1, 'frame'),
  bar('a page with faces against MediaPipe', 'face/mediapipe', 'face/bitmarks', 1, 'frame'),
];
const GIGA_MULTIPLY_ADDS = { row: 'face/relaxed', needed: 50 };
const DOWNLOADS = [
  { page: 'face', text: 'a page with faces', mostBytes: 400_000 },
  { page: 'face and pose', text: 'a page with faces and people', mostBytes: 800_000 },
] as const;

function bar(
  text: string,
  slow: string,
  fast: string,
  needed: number,
  workload: Workload = 'network',
): RatioBar {
  return { text: `${text}: times as fast`, slow, fast, needed, workload };
}

export function judge(
  contestants: readonly Contestant[],
  pages: readonly PageDownload[],
): readonly Bar[] {
  const find = (id: string): Contestant | undefined => contestants.find(({ row }) => row.id === id);
  const ratios = RATIO_BARS.map(({ text, slow, fast, workload, needed }): Bar => {
    const [a, b] = [find(slow), find(fast)];
    const all = a && b ? ratiosByRound(a, b, workload) : [];
    const measured = all.length === 0 ? null : round(median(all));
    const quartiles =
      measured === null ? null : ([quantile(all, 0.25), quantile(all, 0.75)] as const);
    return {
      ...{ text, needed, measured },
      quartiles: quartiles && [round(quartiles[0]), round(quartiles[1])],
      verdict: verdict(measured, (value) => value >= needed),
    };
  });
  const engine = find(GIGA_MULTIPLY_ADDS.row);
  const networkMs = median(engine?.rounds.flatMap((turn) => turn?.network ?? []) ?? []);
  const speed = engine ? round((engine.start.multiplyAdds ?? NaN) / networkMs / 1e6) : null;
  const downloads = DOWNLOADS.map(({ page, text, mostBytes }): Bar => {
    // On the engine that needs most.
    const sizes = pages.filter((of) => of.page === page).map(({ brotliBytes }) => brotliBytes);
    const bytes = sizes.length === 0 ? null : Math.max(...sizes);
    return {
      text: `${text}: bytes of code, WASM and packs to download, brotli, at most`,
      ...{ needed: mostBytes, measured: bytes, quartiles: null },
      verdict: verdict(bytes, (value) => value <= mostBytes),
    };
  });
  return [
    ...ratios,
    {
      text: 'face pack, WASM: 10^9 multiply-adds per second',
      ...{ needed: GIGA_MULTIPLY_ADDS.needed, measured: speed, quartiles: null },
      verdict: verdict(speed, (value) => value >= GIGA_MULTIPLY_ADDS.needed),
    },
    ...downloads,
  ];
}

function verdict(measured: number | null, holds: (value: number) => boolean): Bar['verdict'] {
  if (measured === null) return 'not measured';
  return holds(measured) ? 'holds' : 'missed';
}

/** Four digits: one more than repeated runs agree on. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}
