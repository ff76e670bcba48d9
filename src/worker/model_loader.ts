/**
 * Fetches a pack into one buffer as it arrives: progress, abort, and errors that say which of the many ways a download fails it
 * was. Reads no pack.
 */
import { fetchAsset, type AssetSource } from '../engine/asset_cache';
import { BitmarksError } from '../errors';

/** Far above any pack there is; bounds what a wrong URL can make the worker hold. */
const MAX_PACK_BYTES = 64 * 2 ** 20;

/** Room for a file whose size the server does not tell; grows as it arrives. */
const FIRST_BYTES = 2 ** 17;

export interface FetchPackOptions extends AssetSource {
  readonly signal: AbortSignal;
  /** Called for every piece that arrives; `totalBytes` is null where the server does not tell. */
  readonly onProgress: (loadedBytes: number, totalBytes: number | null) => void;
}

export interface PackFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** It was not downloaded: a copy of an earlier visit, or bytes that the page gave. */
  readonly isCopy: boolean;
}

/**
 * Downloads the whole file at an absolute URL. Throws 'pack/network', 'pack/not-found', 'pack/truncated',
 * 'pack/malformed' (too large), or the reason of the signal.
 */
export async function fetchPack(url: string, options: FetchPackOptions): Promise<PackFile> {
  const { signal, onProgress } = options;
  let response: Response;
  let isCopy: boolean;
  try {
    ({ response, isCopy } = await fetchAsset(url, options, signal));
  } catch (cause) {
    signal.throwIfAborted();
    throw new BitmarksError(
      'pack/network',
      `the pack ${url} could not be reached; check the connection, and the CORS headers if it is on another origin`,
      { cause },
    );
  }
  checkAnswer(url, response);
  const totalBytes = declaredBytes(response);
  if ((totalBytes ?? 0) > MAX_PACK_BYTES) throw tooLarge(url);
  let bytes = new Uint8Array(totalBytes ?? FIRST_BYTES);
  let loadedBytes = 0;
  try {
    onProgress(0, totalBytes);
    const reader = response.body?.getReader();
    for (;;) {
      const piece = await reader?.read();
      if (piece?.value === undefined) break;
      const endBytes = loadedBytes + piece.value.length;
      if (endBytes > MAX_PACK_BYTES) {
        await reader?.cancel();
        throw tooLarge(url);
      }
      if (endBytes > bytes.length) bytes = grown(bytes, Math.max(endBytes, 2 * bytes.length));
      bytes.set(piece.value, loadedBytes);
      loadedBytes = endBytes;
      onProgress(loadedBytes, totalBytes);
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof BitmarksError) throw cause;
    throw new BitmarksError(
      'pack/network',
      `the download of ${url} broke off after ${loadedBytes} of ${totalBytes ?? 'an unknown number of'} bytes; try again`,
      { cause },
    );
  }
  if (totalBytes !== null && loadedBytes < totalBytes) {
    throw new BitmarksError(
      'pack/truncated',
      `${url} gave ${loadedBytes} bytes, expected ${totalBytes}; try again`,
    );
  }
  return { bytes: bytes.subarray(0, loadedBytes), isCopy };
}

function checkAnswer(url: string, response: Response): void {
  const fix = 'check the path, and that the server publishes .bitmarks files';
  if (!response.ok) {
    throw new BitmarksError(
      'pack/not-found',
      `${url} answered with status ${response.status}; ${fix}`,
    );
  }
  // Servers of single-page apps answer every unknown path with their start page.
  if (response.headers.get('content-type')?.startsWith('text/html') === true) {
    throw new BitmarksError('pack/not-found', `${url} answered with an HTML page; ${fix}`);
  }
}

/** Null where the server does not tell, or tells the compressed size. */
function declaredBytes({ headers }: Response): number | null {
  const length = Number(headers.get('content-length') ?? NaN);
  return Number.isInteger(length) && headers.get('content-encoding') === null ? length : null;
}

function tooLarge(url: string): BitmarksError {
  return new BitmarksError(
    'pack/malformed',
    `${url} is larger than ${MAX_PACK_BYTES} bytes, which no pack is; check the path`,
  );
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
