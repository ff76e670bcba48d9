import { describe, expect, it } from 'vitest';
import { BitmarksError } from '../../src/errors';
import { decodeError, encodeError, settle, unwrap } from '../../src/protocol/wire_errors';

/** What the other side gets of a thrown value, over a real structured clone. */
function across(error: unknown): BitmarksError {
  return decodeError(structuredClone(encodeError(error, 'worker/crashed')));
}

describe('errors on the wire', () => {
  it('keep code, message and the text of the cause', () => {
    const cause = new TypeError('no such host');
    const error = across(new BitmarksError('pack/network', 'cannot reach it', { cause }));
    expect(error).toBeInstanceOf(BitmarksError);
    expect(error.code).toBe('pack/network');
    expect(error.message).toBe('cannot reach it');
    expect((error.cause as Error).message).toContain('TypeError: no such host');
  });

  it('have no cause where there was none', () => {
    expect(across(new BitmarksError('closed', 'x')).cause).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [new RangeError('too far'), 'RangeError: too far'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [new DOMException('gone', 'DataError'), 'DataError: gone'],
  ])('%s, which is no BitmarksError, becomes worker/crashed', (thrown, message) => {
    expect(across(thrown)).toMatchObject({ code: 'worker/crashed', message });
  });
});

describe('settle and unwrap', () => {
  it('carry values', async () => {
    expect(unwrap(structuredClone(await settle(() => Promise.resolve([1, 2]))))).toEqual([1, 2]);
  });

  it('carry rejections and exceptions', async () => {
    const rejected = await settle(() => Promise.reject(new BitmarksError('aborted', 'enough')));
    expect(() => unwrap(structuredClone(rejected))).toThrow(
      expect.objectContaining({ code: 'aborted', message: 'enough' }),
    );
    const thrown = await settle((): Promise<number> => {
      throw new Error('at once');
    });
    expect(() => unwrap(thrown)).toThrow(expect.objectContaining({ message: 'Error: at once' }));
  });
});
