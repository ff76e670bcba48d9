/**
 * Loading a backend from a file of its own.
 */
import { expect, test } from 'vitest';
import type { BackendFactory } from '../../src/engine/backend';
import { loadOfferedBackend, offerBackend } from '../../src/engine/offered';
import { BitmarksError } from '../../src/errors';

const module = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

test('the factory that a file offers is the one that is returned', async () => {
  const url = module(
    `globalThis[Symbol.for('bitmarks.backend.wasm')] = () => Promise.resolve('made')`,
  );
  const factory = await loadOfferedBackend('wasm', url);
  expect(await (factory as () => Promise<unknown>)()).toBe('made');
});

test('offerBackend is what such a file calls', async () => {
  const factory: BackendFactory = () => Promise.reject(new Error('not called'));
  offerBackend('webgpu', factory);
  expect(await loadOfferedBackend('webgpu', module(''))).toBe(factory);
});

test.each([
  ['a file that throws', module('throw new Error("broken")'), /could not be loaded from data:/],
  ['a file that offers nothing', module('// nothing'), /offers no reference engine/],
])('%s is a typed error', async (_, url, message) => {
  const failure = await loadOfferedBackend('reference', url).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BitmarksError);
  expect(failure).toMatchObject({ code: 'backend/unavailable' });
  expect((failure as Error).message).toMatch(message);
});
