/**
 * A Cache of the Cache API in memory, by URL, for tests in Node.
 */
import type { CacheLike } from '../../src/engine/asset_cache';

export class FakeCache implements CacheLike {
  readonly texts: Map<string, string>;

  constructor(texts: Readonly<Record<string, string>> = {}) {
    this.texts = new Map(Object.entries(texts));
  }

  match(url: RequestInfo | URL): Promise<Response | undefined> {
    const text = this.texts.get(urlOf(url));
    return Promise.resolve(text === undefined ? undefined : new Response(text));
  }

  async put(url: RequestInfo | URL, response: Response): Promise<void> {
    this.texts.set(urlOf(url), await response.text());
  }

  keys(): Promise<readonly Request[]> {
    return Promise.resolve([...this.texts.keys()].map((url) => new Request(url)));
  }

  delete(url: RequestInfo | URL): Promise<boolean> {
    return Promise.resolve(this.texts.delete(urlOf(url)));
  }
}

function urlOf(url: RequestInfo | URL): string {
  return url instanceof Request ? url.url : String(url);
}
