/**
 * A static web server for tests: folders under URL prefixes, files from strings, headers of choice, and a log of what was
 * asked for. Serves on 127.0.0.1 at a free port; knows nothing of Bitmarks.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

export interface ServeOptions {
  /** Folder of files by URL prefix, e.g. { '/sdk/': 'dist' }. The first prefix that fits is taken. */
  readonly folders?: Readonly<Record<string, string>>;
  /** Content by exact URL path; the type follows from the extension, '/' and names without one are HTML. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Connections for these paths break, as without a network. */
  readonly breaks?: (path: string) => boolean;
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ServedRequest {
  readonly path: string;
  readonly status: number;
  readonly body: Buffer;
}

export interface Server {
  /** Without a slash at the end, e.g. 'http://127.0.0.1:41234'. */
  readonly origin: string;
  /** All requests so far, in order of their answers. */
  readonly requests: readonly ServedRequest[];
  close(): Promise<void>;
}

/** Starts a server; the caller closes it. */
export async function serve(options: ServeOptions): Promise<Server> {
  const requests: ServedRequest[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://host');
    if (options.breaks?.(pathname) === true) {
      request.socket.destroy();
      return;
    }
    void find(decodeURIComponent(pathname), options).then((found) => {
      requests.push({ path: pathname, status: found.status, body: found.body });
      answer(response, found, options.headers ?? {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

interface Found {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

async function find(pathname: string, { files = {}, folders = {} }: ServeOptions): Promise<Found> {
  const content = files[pathname];
  if (content !== undefined) {
    const extension = path.extname(pathname);
    const type = extension === '' ? 'text/html' : typeOf(extension);
    return { status: 200, type, body: Buffer.from(content) };
  }
  for (const [prefix, folder] of Object.entries(folders)) {
    if (!pathname.startsWith(prefix)) continue;
    const root = path.resolve(folder);
    const file = path.join(root, pathname.slice(prefix.length));
    if (!file.startsWith(root + path.sep)) break;
    try {
      const type = typeOf(path.extname(file));
      return { status: 200, type, body: await readFile(file) };
    } catch {
      break;
    }
  }
  return { status: 404, type: 'text/plain', body: Buffer.from(`no ${pathname} here`) };
}

function typeOf(extension: string): string {
  return TYPES[extension] ?? 'application/octet-stream';
}

function answer(
  response: ServerResponse,
  { status, type, body }: Found,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': body.byteLength,
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(body);
}
