/**
 * Files of the package over the network, with copies kept in the browser's Cache API for visits without one. Decides when a
 * copy is good enough; knows neither packs nor modules.
 */

const CACHE_NAME = 'bitmarks';

/** An exact release in a path, such as `/npm/bitmarks@1.2.3/`: what lies there never changes. */
const RELEASE = /@\d+\.\d+\.\d+[^/]*/;

/** The part of a Cache that is used. */
export type CacheLike = Pick<Cache, 'match' | 'put' | 'keys' | 'delete'>;

export interface AssetSource {
  /** Default: that of this thread. */
  readonly fetch?: typeof globalThis.fetch;
  /** Null: nothing is kept. */
  readonly cache: CacheLike | null;
}

export interface Asset {
  readonly response: Response;
  /** It is a copy from an earlier visit. */
  readonly isCopy: boolean;
}

/** This browser's cache; null where it has none (insecure contexts, Node) or does not let this page use it. */
export async function openAssetCache(): Promise<CacheLike | null> {
  if (typeof caches === 'undefined') return null;
  return caches.open(CACHE_NAME).catch(() => null);
}

/**
 * The file at a URL (absolute where there is a cache): from the network, so that a new release is seen at once, or where that cannot be reached the
 * copy. The files of an exact release are taken from the copy without asking. Rejects as fetch does.
 */
export async function fetchAsset(
  url: string,
  { fetch = globalThis.fetch, cache }: AssetSource,
  signal?: AbortSignal,
): Promise<Asset> {
  if (isImmutable(url)) {
    const copy = await findCopy(url, cache);
    if (copy !== undefined) return { response: copy, isCopy: true };
  }
  try {
    return { response: await fetch(url, signal === undefined ? {} : { signal }), isCopy: false };
  } catch (error) {
    signal?.throwIfAborted();
    const copy = await findCopy(url, cache);
    if (copy === undefined) throw error;
    return { response: copy, isCopy: true };
  }
}

/**
 * Keeps a copy of a file that has proved good, in place of those of other releases. A full disk or a private window, where
 * nothing can be kept, is no error.
 */
export async function keepCopy(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
  cache: CacheLike | null,
): Promise<void> {
  if (cache === null) return;
  const headers = { 'content-type': type, 'content-length': String(bytes.length) };
  try {
    await cache.put(url, new Response(bytes, { headers }));
    const others = (await cache.keys()).filter(
      (request) => request.url !== url && fileOf(request.url) === fileOf(url),
    );
    await Promise.all(others.map((request) => cache.delete(request)));
  } catch {
    // The next visit downloads again.
  }
}

function isImmutable(url: string): boolean {
  return RELEASE.test(url.replace(/[?#].*$/, ''));
}

/** The URL without its release. */
function fileOf(url: string): string {
  return url.replace(RELEASE, '@');
}

async function findCopy(url: string, cache: CacheLike | null): Promise<Response | undefined> {
  return cache?.match(url).catch(() => undefined);
}
