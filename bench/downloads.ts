/**
 * How many bytes a page downloads: from the log of the server that it came from. Brotli at quality 11 takes a minute for the
 * largest modules, so its sizes are kept by content in node_modules/.cache.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import type { ServedRequest } from '../test/helpers/serve';
import type { Bytes } from './measurement';

const CACHE = 'node_modules/.cache/bitmarks-bench';
/** The benchmark's own files: no page that uses a package needs them. */
const OWN = /^\/(?:$|index\.html$|photos\/|assets\/index-)/;

/** What the requests of one row brought, each file once. */
export async function downloadOf(requests: readonly ServedRequest[]): Promise<Bytes> {
  const files = new Map(
    requests
      .filter(({ path, status }) => status === 200 && !OWN.test(path))
      .map(({ path, body }) => [path, body]),
  );
  return sizesOf(files.values());
}

export async function sizesOf(bodies: Iterable<Buffer>): Promise<Bytes> {
  let [rawBytes, brotliBytes] = [0, 0];
  for (const body of bodies) {
    rawBytes += body.byteLength;
    brotliBytes += await brotliSize(body);
  }
  return { rawBytes, brotliBytes };
}

/** Never more than the file itself, which a server would send as it is. */
async function brotliSize(body: Buffer): Promise<number> {
  const file = `${CACHE}/${createHash('sha256').update(body).digest('hex')}`;
  if (existsSync(file)) return Number(readFileSync(file, 'utf8'));
  const packed = await promisify(brotliCompress)(body, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: body.byteLength,
    },
  });
  const bytes = Math.min(packed.byteLength, body.byteLength);
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(file, String(bytes));
  return bytes;
}
