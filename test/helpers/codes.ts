/**
 * What became of a promise, for tests of errors.
 */
import { BitmarksError } from '../../src/errors';

/** Code of the BitmarksError that the promise rejects with, 'resolved', or whatever else it rejects with. */
export function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof BitmarksError ? error.code : error),
  );
}
