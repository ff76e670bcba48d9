/**
 * The picture that is measured: a demo photo and the region around its face.
 */
import expected from '../../demo/photos/expected.json';
import photoUrl from '../../demo/photos/face_01.jpg?url';
import { cropFrame } from '../../src/model/crop';
import type { Model } from '../../src/model/types';
import { roiFromBox, roiToCropAffine } from '../../src/pipeline/roi';
import type { Scene } from './engine';

const FILE = 'face_01.jpg';

export async function loadScene({ manifest, graph }: Model): Promise<Scene> {
  const bitmap = await createImageBitmap(await (await fetch(photoUrl)).blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  if (context === null) throw new Error('no 2d canvas');
  context.drawImage(bitmap, 0, 0);
  const frame = context.getImageData(0, 0, width, height);
  const points = expected.images.find(({ file }) => file === FILE)?.points ?? [];
  const [xs, ys] = [points.map(([x = 0]) => x), points.map(([, y = 0]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const box = {
    ...{ x: left, y: top },
    ...{ width: Math.max(...xs) - left, height: Math.max(...ys) - top },
  };
  const region = roiFromBox(box, frame, manifest.roi.scale);
  const [rows, columns] = graph.input.shape;
  const { affine, taps } = roiToCropAffine(region, frame, columns);
  const crop = cropFrame({ data: frame.data, width, height, affine, taps }, rows, columns);
  return { frame, region, crop };
}
