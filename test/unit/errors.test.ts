/**
 * The error class across copies of the module.
 */
import { expect, test, vi } from 'vitest';
import { BitmarksError } from '../../src/errors';

test('an error of another copy of the class is an instance', async () => {
  vi.resetModules();
  const copy = await import('../../src/errors');
  expect(copy.BitmarksError).not.toBe(BitmarksError);
  expect(new copy.BitmarksError('closed', 'x') instanceof BitmarksError).toBe(true);
});

test.each([
  new Error('x'),
  Object.assign(new Error('x'), { name: 'BitmarksError' }),
  null,
  { name: 'BitmarksError', code: 'closed' },
])('%s is not an instance', (value) => {
  expect(value instanceof BitmarksError).toBe(false);
});
