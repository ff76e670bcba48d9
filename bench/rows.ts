/**
 * The rows of the benchmark: what is measured, by name. Plain data for the script and for the page; bench/page/rows/ runs them.
 */
export type Task = 'face' | 'pose';

/** The file of bench/page/rows/ that runs a row. */
export type Maker =
  | 'bitmarks_engine'
  | 'bitmarks_threads'
  | 'bitmarks_page'
  | 'tfjs_float'
  | 'onnx_runtime'
  | 'movenet'
  | 'face_api'
  | 'human'
  | 'mediapipe';

export interface Row {
  readonly id: string;
  readonly task: Task;
  readonly maker: Maker;
  /** What the maker should run: a variant, a backend. */
  readonly choice: string;
  /** For people. */
  readonly label: string;
  /** Whether it runs on a GPU, real or SwiftShader. */
  readonly gpu: boolean;
}

function row(task: Task, name: string, maker: Maker, choice: string, label: string): Row {
  const gpu = choice.includes('webgpu') || maker === 'mediapipe';
  return { id: `${task}/${name}`, task, maker, choice, label, gpu };
}

/** One graph on several engines: same crop in, same heatmaps out. */
function sameGraph(task: Task): readonly Row[] {
  return [
    row(task, 'relaxed', 'bitmarks_engine', 'relaxed', 'Bitmarks, WASM relaxed SIMD'),
    row(task, 'simd128', 'bitmarks_engine', 'simd128', 'Bitmarks, WASM SIMD128'),
    row(
      ...([task, 'relaxed-2-threads', 'bitmarks_threads', 'relaxed, 2 threads'] as const),
      'Bitmarks, WASM relaxed SIMD, two threads',
    ),
    row(task, 'reference', 'bitmarks_engine', 'reference', 'Bitmarks, reference'),
    row(task, 'webgpu', 'bitmarks_engine', 'webgpu', 'Bitmarks, WebGPU'),
    row(task, 'tfjs-wasm', 'tfjs_float', 'wasm', 'same graph, float32, tfjs-wasm'),
    row(task, 'tfjs-webgpu', 'tfjs_float', 'webgpu', 'same graph, float32, tfjs-webgpu'),
    row(task, 'ort-float32', 'onnx_runtime', 'float32 wasm', 'same graph, float32, ONNX Runtime'),
    row(task, 'ort-int8', 'onnx_runtime', 'int8 wasm', 'same graph, int8, ONNX Runtime'),
    row(
      ...([task, 'ort-webgpu', 'onnx_runtime', 'float32 webgpu'] as const),
      'same graph, float32, ONNX Runtime WebGPU',
    ),
  ];
}

export const ROWS: readonly Row[] = [
  ...sameGraph('face'),
  row('face', 'bitmarks', 'bitmarks_page', 'wasm', 'Bitmarks as a page uses it, WASM in a worker'),
  row('face', 'face-api', 'face_api', 'wasm', 'face-api tiny detector and 68 points, tfjs-wasm'),
  row('face', 'human', 'human', 'wasm', 'Human face mesh, tfjs-wasm'),
  row('face', 'mediapipe', 'mediapipe', 'face_mesh', 'MediaPipe FaceMesh, WASM and WebGL'),
  ...sameGraph('pose'),
  row('pose', 'bitmarks', 'bitmarks_page', 'wasm', 'Bitmarks as a page uses it, WASM in a worker'),
  row('pose', 'movenet', 'movenet', 'wasm', 'MoveNet Lightning, tfjs-wasm'),
  row('pose', 'human', 'human', 'wasm', 'Human with MoveNet Lightning, tfjs-wasm'),
  row('pose', 'mediapipe', 'mediapipe', 'pose', 'MediaPipe Pose lite, WASM and WebGL'),
];
