/**
 * The packs of one landmarker, given as bytes or downloaded side by side, with one progress for all. Reads no pack.
 */
import type { LoadProgress, PackSource } from '../protocol/service';
import type { FetchPackOptions, PackFile } from './model_loader';

export type FetchPack = (url: string, options: FetchPackOptions) => Promise<PackFile>;

type DownloadOptions = Pick<FetchPackOptions, 'signal' | 'onProgress'>;

/** The files in the order of the sources. Throws what the first failing download throws. */
export function readPacks(
  sources: readonly PackSource[],
  fetchPack: (url: string, options: DownloadOptions) => Promise<PackFile>,
  signal: AbortSignal,
  onProgress: (progress: LoadProgress) => void,
): Promise<PackFile[]> {
  const sizes = sources.map((source): { loaded: number; total: number | null } => {
    const known = 'bytes' in source ? source.bytes.byteLength : null;
    return { loaded: known ?? 0, total: known };
  });
  const report = (): void => {
    let totalBytes: number | null = 0;
    let loadedBytes = 0;
    for (const { loaded, total } of sizes) {
      loadedBytes += loaded;
      totalBytes = totalBytes === null || total === null ? null : totalBytes + total;
    }
    onProgress({ loadedBytes, totalBytes, phase: 'download' });
  };
  return Promise.all(
    sources.map(async (source, index) => {
      if ('bytes' in source) return { bytes: new Uint8Array(source.bytes), isCopy: true };
      const onPiece = (loaded: number, total: number | null): void => {
        sizes[index] = { loaded, total };
        report();
      };
      return fetchPack(source.url, { signal, onProgress: onPiece });
    }),
  );
}
