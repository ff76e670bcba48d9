/**
 * Development server and build of the demo. The library itself is built by scripts/build.ts.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

/**
 * In the built page the browser itself sees to it that nothing leaves: every source but the page's own origin is refused.
 * The development server needs inline styles and a socket, so it goes without.
 */
const contentSecurityPolicy: Plugin = {
  name: 'bitmarks-demo:content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: {
        'http-equiv': 'Content-Security-Policy',
        content: [
          "default-src 'self'",
          "script-src 'self' 'wasm-unsafe-eval'",
          "worker-src 'self' blob:",
          "img-src 'self' blob: data:",
          "media-src 'self' blob: mediastream:",
          "object-src 'none'",
          "base-uri 'none'",
          "form-action 'none'",
        ].join('; '),
      },
      injectTo: 'head-prepend',
    },
  ],
};

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  plugins: [contentSecurityPolicy],
  assetsInclude: ['**/*.bitmarks'],
  worker: { format: 'es' },
  server: { host: '127.0.0.1' },
  preview: { host: '127.0.0.1' },
  build: { target: 'es2022', emptyOutDir: true, assetsInlineLimit: 0 },
});
