/**
 * What the rows that run our graph share: the pack, and where in each photo its subject is.
 */
import expected from '../../demo/photos/expected.json';
import type { EngineInput } from '../../src/engine/backend';
import { planGraph } from '../../src/engine/planner';
import { cropFrame } from '../../src/model/crop';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import { decodeHeatmaps, type CropPoint } from '../../src/pipeline/heatmap_codec';
import { landmarkModelOf } from '../../src/pipeline/pack_models';
import { roiAround, roiFromBox, roiToCropAffine } from '../../src/pipeline/roi';
import type { RegionOfInterest } from '../../src/protocol/result';
import type { Task } from '../rows';
import type { Heatmap, Photo } from './contestant';

/** A photo and its region: the face's, as a followed face would be read, or the whole photo for a person. Not rotated. */
export interface Scene {
  readonly canvas: Photo;
  readonly region: RegionOfInterest;
}

export interface GraphScenes {
  readonly model: Model;
  readonly multiplyAdds: number;
  readonly scenes: readonly Scene[];
  /** The first photo's region as the network sees it: RGB bytes, HWC. */
  readonly crop: Uint8Array;
  /** Decodes heatmaps, HWC; floats are rounded. */
  readonly decode: (heatmap: Heatmap) => readonly CropPoint[];
}

/** Fetches the task's pack. `files` as the canvases, in the same order. */
export async function loadScenes(task: Task, canvases: readonly Photo[]): Promise<GraphScenes> {
  const file = await (await fetch(`/models/${task}.bitmarks`)).arrayBuffer();
  const model = parsePack(new Uint8Array(file));
  const scenes = canvases.map((canvas, i): Scene => ({
    canvas,
    region: regionOf(i, task, canvas),
  }));
  const [first] = scenes;
  if (first === undefined) throw new Error('no photos');
  const [rows, columns] = model.graph.input.shape;
  const crop = cropFrame(frameInput(model, first), rows, columns);
  const { multiplyAdds, outputShape } = planGraph(model);
  const { codec } = landmarkModelOf(model);
  const [height, width, channels] = outputShape;
  const decode = (heatmap: Heatmap): readonly CropPoint[] =>
    decodeHeatmaps({ data: toIntegers(heatmap), height, width, channels }, codec);
  return { model, multiplyAdds, scenes, crop, decode };

  function regionOf(index: number, of: Task, frame: Photo): RegionOfInterest {
    if (of === 'pose') {
      const center = { x: frame.width / 2, y: frame.height / 2 };
      return roiAround(center, Math.max(frame.width, frame.height), 0, frame);
    }
    const points = expected.images[index]?.points ?? [];
    const [xs, ys] = [points.map(([x = 0]) => x), points.map(([, y = 0]) => y)];
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    const box = { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
    return roiFromBox(box, frame, model.manifest.roi.scale);
  }
}

/** The frame's pixels, read from the canvas, and the crop of its region. */
export function frameInput(
  { graph }: Model,
  { canvas, region }: Scene,
): Extract<EngineInput, { kind: 'frame' }> {
  // The union of both kinds of canvas has no getContext that takes one argument type.
  const context =
    canvas instanceof OffscreenCanvas ? canvas.getContext('2d') : canvas.getContext('2d');
  if (context === null) throw new Error('no 2d canvas');
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  return {
    ...{ kind: 'frame', data, width, height },
    ...roiToCropAffine(region, canvas, graph.input.shape[1]),
  };
}

/** The region by way of a canvas, as a page without our cropper would: RGBA bytes of the network's input size. */
export class CanvasCropper {
  readonly #context: OffscreenCanvasRenderingContext2D;

  constructor({ graph }: Model) {
    const [rows, columns] = graph.input.shape;
    const context = new OffscreenCanvas(columns, rows).getContext('2d', {
      willReadFrequently: true,
    });
    if (context === null) throw new Error('no 2d canvas');
    this.#context = context;
  }

  crop({ canvas, region }: Scene): ImageData {
    const { width, height } = this.#context.canvas;
    const { xCenter, yCenter, sizePixels } = region;
    const [x, y] = [xCenter * canvas.width, yCenter * canvas.height];
    const [left, top] = [x - sizePixels / 2, y - sizePixels / 2];
    this.#context.drawImage(canvas, left, top, sizePixels, sizePixels, 0, 0, width, height);
    return this.#context.getImageData(0, 0, width, height);
  }
}

/** A plain loop: typed arrays' own `from` takes longer than some networks. */
function toIntegers(heatmap: Heatmap): Int16Array {
  if (heatmap instanceof Int16Array) return heatmap;
  const data = new Int16Array(heatmap.length);
  for (let i = 0; i < data.length; i += 1) data[i] = Math.round(heatmap[i] ?? 0);
  return data;
}
