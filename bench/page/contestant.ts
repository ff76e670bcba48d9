/**
 * What the benchmark page asks of a row.
 */
import type { Workload } from '../measurement';
import type { Row } from '../rows';

/** A row, ready to run. */
export interface Runner {
  /** For people: versions, device. */
  readonly description: string;
  readonly kernels?: readonly string[];
  readonly multiplyAdds?: number;
  /** The network on the finished crop of the first photo; heatmaps, HWC. Absent where a package does not offer it. */
  readonly network?: () => Heatmap | Promise<Heatmap>;
  /** From a photo to landmarks. Resolves with the number of subjects, or with null where the region was given. */
  readonly frame: (photo: number) => Promise<number | null>;
  /** Calls for so long where the engine is, so that messages to a worker do not count; milliseconds of each. Absent: the page calls. */
  readonly repeat?: (
    workload: Workload,
    photo: number,
    forMs: number,
  ) => Promise<readonly number[]>;
}

/** Values in units of the integer heatmaps; a package whose graph is another one gives what its network gives. */
export type Heatmap = ArrayLike<number>;

/** A photo that can be read without waiting. */
export type Photo = HTMLCanvasElement | OffscreenCanvas;

export type MakeRunner = (row: Row, photos: readonly HTMLCanvasElement[]) => Promise<Runner>;

/** Folder of the npm packages on the benchmark's server. */
export const PACKAGES = '/packages';

/** Imports a file as a package ships it, from the benchmark's server. */
export async function importPackage(file: string): Promise<unknown> {
  return import(/* @vite-ignore */ `${PACKAGES}/${file}`);
}

/** Runs a classic script as a package ships it. */
export async function loadScript(file: string): Promise<void> {
  const script = document.createElement('script');
  script.src = `${PACKAGES}/${file}`;
  await new Promise((resolve, reject) => {
    script.addEventListener('load', resolve);
    script.addEventListener('error', () => {
      reject(new Error(`${file} could not be loaded`));
    });
    document.head.append(script);
  });
}
