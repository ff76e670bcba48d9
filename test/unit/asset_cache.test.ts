import { describe, expect, it } from 'vitest';
import { fetchAsset, keepCopy, openAssetCache, type CacheLike } from '../../src/engine/asset_cache';
import { FakeCache } from '../helpers/fake_cache';

const URL = 'https://host/models/face.bitmarks';
const RELEASE = 'https://cdn.test/npm/bitmarks@1.2.3/dist/models/face.bitmarks';
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

const online = () => Promise.resolve(new Response('network'));
const offline = () => Promise.reject(new TypeError('offline'));

async function textOf(url: string, fetch: () => Promise<Response>, cache: CacheLike | null) {
  const { response, isCopy } = await fetchAsset(url, { fetch, cache });
  return `${await response.text()} ${isCopy ? 'copy' : 'download'}`;
}

describe('fetchAsset', () => {
  it('asks the network first, so that a new release is seen', async () => {
    expect(await textOf(URL, online, new FakeCache({ [URL]: 'old' }))).toBe('network download');
    expect(await textOf(URL, online, null)).toBe('network download');
  });

  it('takes the copy where there is no network, and rejects without one', async () => {
    expect(await textOf(URL, offline, new FakeCache({ [URL]: 'old' }))).toBe('old copy');
    await expect(textOf(URL, offline, new FakeCache())).rejects.toThrow('offline');
    await expect(textOf(URL, offline, null)).rejects.toThrow('offline');
  });

  it('does not ask for what lies under an exact release', async () => {
    const cache = new FakeCache({ [RELEASE]: 'kept' });
    expect(await textOf(RELEASE, offline, cache)).toBe('kept copy');
    expect(await textOf(RELEASE, online, cache)).toBe('kept copy');
    expect(await textOf(RELEASE.replace('1.2.3', '1.2.4'), online, cache)).toBe('network download');
    expect(await textOf(RELEASE.replace('1.2.3', '1'), online, cache)).toBe('network download');
  });

  it('gives the reason of an abort, not the copy', async () => {
    const source = { fetch: offline, cache: new FakeCache({ [URL]: 'old' }) };
    const reason = new Error('enough');
    await expect(fetchAsset(URL, source, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('survives a cache that cannot be read', async () => {
    const broken = new FakeCache();
    broken.match = () => Promise.reject(new DOMException('gone', 'InvalidStateError'));
    expect(await textOf(RELEASE, online, broken)).toBe('network download');
  });
});

describe('keepCopy', () => {
  it('replaces the copies of other releases of the same file, and no others', async () => {
    const other = RELEASE.replace('face', 'pose').replace('1.2.3', '1.2.2');
    const cache = new FakeCache({
      [RELEASE.replace('1.2.3', '1.2.2')]: 'a',
      [other]: 'b',
      [URL]: 'c',
    });
    await keepCopy(RELEASE, bytesOf('new'), 'application/octet-stream', cache);
    expect(Object.fromEntries(cache.texts)).toEqual({ [other]: 'b', [URL]: 'c', [RELEASE]: 'new' });
  });

  it('is content where nothing can be kept', async () => {
    const full = new FakeCache();
    full.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
    await keepCopy(URL, bytesOf('new'), 'application/wasm', full);
    await keepCopy(URL, bytesOf('new'), 'application/wasm', null);
    expect(full.texts.size).toBe(0);
  });
});

describe('openAssetCache', () => {
  it('gives null where there is no Cache API', async () => {
    expect(await openAssetCache()).toBeNull();
  });
});
