/**
 * Backends that live in a file of their own: the file offers its factory, the worker that imported the file takes it.
 * A module's exports would be the plain way, but bundlers drop the exports of worker files, and a relative import() does
 * not survive being bundled a second time by the page's own build. Knows nothing of what a backend does.
 */
import { BitmarksError } from '../errors';
import type { BackendFactory, BackendName } from './backend';

const key = (name: BackendName): symbol => Symbol.for(`bitmarks.backend.${name}`);

/** Called by a backend's own file when it has loaded. */
export function offerBackend(name: BackendName, factory: BackendFactory): void {
  Reflect.set(globalThis, key(name), factory);
}

/**
 * Imports the file at the absolute URL and returns the factory it offers. Throws 'backend/unavailable' when the file
 * cannot be loaded or offers nothing under this name.
 */
export async function loadOfferedBackend(name: BackendName, url: string): Promise<BackendFactory> {
  try {
    await import(/* @vite-ignore */ url);
  } catch (cause) {
    throw new BitmarksError(
      'backend/unavailable',
      `the ${name} engine could not be loaded from ${url}; serve that file beside the script, with CORS headers if it ` +
        'is on another origin',
      { cause },
    );
  }
  const factory: unknown = Reflect.get(globalThis, key(name));
  if (!isFactory(factory)) {
    throw new BitmarksError(
      'backend/unavailable',
      `${url} was loaded but offers no ${name} engine; serve the file of the same Bitmarks release`,
    );
  }
  return factory;
}

function isFactory(value: unknown): value is BackendFactory {
  return typeof value === 'function';
}
