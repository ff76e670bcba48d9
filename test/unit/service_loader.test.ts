import { describe, expect, it } from 'vitest';
import { BitmarksError } from '../../src/errors';
import type { CacheLike } from '../../src/engine/asset_cache';
import { fetchPack } from '../../src/worker/model_loader';
import { FakeCache } from '../helpers/fake_cache';

const URL = 'http://host/face.bitmarks';

/** What fetchPack makes of a server that answers like this, and the progress it reported. */
async function load(
  answer: () => Promise<Response>,
  signal = new AbortController().signal,
  cache: CacheLike | null = null,
) {
  const progress: [number, number | null][] = [];
  const outcome = await fetchPack(URL, {
    signal,
    onProgress: (loaded, total) => progress.push([loaded, total]),
    fetch: answer,
    cache,
  }).catch((error: unknown) => error);
  return { outcome, progress };
}

function body(pieces: readonly Uint8Array[], end: 'closed' | 'broken' = 'closed') {
  const left = [...pieces];
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = left.shift();
      if (piece !== undefined) controller.enqueue(piece);
      else if (end === 'closed') controller.close();
      else controller.error(new TypeError('connection reset'));
    },
  });
}

const pieces = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)];
const answer = (init: ResponseInit, end?: 'broken') => () =>
  Promise.resolve(new Response(body(pieces, end), init));

describe('fetchPack', () => {
  it('joins the pieces and reports each', async () => {
    const { outcome, progress } = await load(answer({ headers: { 'content-length': '5' } }));
    expect(outcome).toEqual({ bytes: Uint8Array.of(1, 2, 3, 4, 5), isCopy: false });
    expect(progress).toEqual([
      [0, 5],
      [3, 5],
      [5, 5],
    ]);
  });

  it.each([
    {},
    { 'content-length': '3', 'content-encoding': 'gzip' },
    { 'content-length': 'many' },
  ])('does not guess the size from %o', async (headers) => {
    const { outcome, progress } = await load(answer({ headers }));
    expect(outcome).toMatchObject({ bytes: Uint8Array.of(1, 2, 3, 4, 5) });
    expect(progress.every(([, total]) => total === null)).toBe(true);
  });

  it.each<[string, () => Promise<Response>, string, string]>([
    [
      'no connection',
      () => Promise.reject(new TypeError('offline')),
      'pack/network',
      'could not be reached',
    ],
    ['status 404', answer({ status: 404 }), 'pack/not-found', 'answered with status 404'],
    ['status 500', answer({ status: 500 }), 'pack/not-found', 'answered with status 500'],
    [
      'a start page',
      answer({ headers: { 'content-type': 'text/html; charset=utf-8' } }),
      'pack/not-found',
      'answered with an HTML page',
    ],
    [
      'a broken connection',
      answer({}, 'broken'),
      'pack/network',
      'broke off after 5 of an unknown',
    ],
    [
      'an early end',
      answer({ headers: { 'content-length': '9' } }),
      'pack/truncated',
      'gave 5 bytes, expected 9',
    ],
    [
      'an absurd size',
      answer({ headers: { 'content-length': '99999999999' } }),
      'pack/malformed',
      'larger than 67108864 bytes',
    ],
  ])('%s', async (_, fetch, code, message) => {
    const { outcome } = await load(fetch);
    expect(outcome).toBeInstanceOf(BitmarksError);
    expect(outcome).toMatchObject({ code });
    expect((outcome as Error).message).toContain(message);
    expect((outcome as Error).message).toContain(URL);
  });

  it('has room for a file of any size that nobody announced', async () => {
    const piece = new Uint8Array(100_000).map((_, i) => i % 251);
    const { outcome } = await load(answer({}));
    const large = await load(() => Promise.resolve(new Response(body([piece, piece, piece]))));
    expect(outcome).toMatchObject({ bytes: { length: 5 } });
    const bytes = Uint8Array.from([...piece, ...piece, ...piece]);
    expect(large.outcome).toEqual({ bytes, isCopy: false });
  });

  it('takes the copy of an earlier visit where there is no network, and says so', async () => {
    const cache = new FakeCache({ [URL]: 'copy' });
    const offline = (): Promise<Response> => Promise.reject(new TypeError('offline'));
    const { outcome } = await load(offline, undefined, cache);
    expect(outcome).toEqual({ bytes: new TextEncoder().encode('copy'), isCopy: true });
    const aborted = new AbortController();
    aborted.abort(new BitmarksError('aborted', 'enough'));
    expect((await load(offline, aborted.signal, cache)).outcome).toMatchObject({ code: 'aborted' });
  });

  it('stops at an absurd size that nobody announced', async () => {
    const piece = new Uint8Array(2 ** 22);
    let given = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        given += 1;
        controller.enqueue(piece);
      },
    });
    const { outcome } = await load(() => Promise.resolve(new Response(endless)));
    expect(outcome).toMatchObject({ code: 'pack/malformed' });
    expect(given).toBeLessThan(20);
  });

  it.each(['before the answer', 'within the body'])(
    'gives the reason of an abort %s',
    async (when) => {
      const reason = new BitmarksError('aborted', 'enough');
      const controller = new AbortController();
      const { outcome } = await load(() => {
        controller.abort(reason);
        return when === 'before the answer'
          ? Promise.reject(new DOMException('aborted', 'AbortError'))
          : answer({}, 'broken')();
      }, controller.signal);
      expect(outcome).toBe(reason);
    },
  );
});
