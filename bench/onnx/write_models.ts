/**
 * Writes the ONNX forms of the shipped packs into a folder: TASK.float32.onnx and TASK.int8.onnx, the latter with ranges from
 * crops of the demo photos.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { parsePack } from '../../src/model/pack';
import type { Model } from '../../src/model/types';
import type { Task } from '../rows';
import { calibrate } from './calibrate';
import { exportFloat32, exportInt8 } from './export_onnx';

export async function writeOnnxModels(
  task: Task,
  photoFiles: readonly string[],
  folder: string,
): Promise<void> {
  const model = parsePack(await readFile(`models/${task}.bitmarks`));
  const crops = await Promise.all(photoFiles.map((file) => middleOf(file, model)));
  const int8 = exportInt8(model, await calibrate(model, crops));
  await writeFile(path.join(folder, `${task}.float32.onnx`), exportFloat32(model));
  await writeFile(path.join(folder, `${task}.int8.onnx`), int8);
}

/** The photo's middle half for faces and all of it for poses, as the network's input: RGB bytes, HWC. */
async function middleOf(file: string, { graph, manifest }: Model): Promise<Uint8Array> {
  const [rows, columns] = graph.input.shape;
  const photo = sharp(file).rotate();
  const { width, height } = await photo.metadata();
  const side = Math.floor(Math.min(width, height) * (manifest.task === 'face' ? 0.5 : 1));
  const [left, top] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  const data = await photo
    .extract({ left, top, width: side, height: side })
    .resize(columns, rows, { fit: 'fill' })
    .removeAlpha()
    .raw()
    .toBuffer();
  return new Uint8Array(data);
}
