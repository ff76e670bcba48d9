/**
 * Which folder may import which: the lint rule `bitmarks/zones`. ARCHITECTURE.md draws the same picture. A folder that is
 * not listed may import anything.
 */
import path from 'node:path';

/**
 * First matching prefix wins. `may` are path prefixes (folder with a slash, or file without extension); `packages` are
 * npm names or scopes. Imports within the own zone are always allowed.
 *
 * @type {readonly { zone: string, may: readonly string[], packages?: readonly string[] }[]}
 */
export const ZONES = [
  { zone: 'src/errors', may: [] },
  { zone: 'src/index', may: ['src/api/', 'src/protocol/', 'src/errors'] },
  { zone: 'src/tfjs', may: ['src/engine/', 'src/model/', 'src/errors'] },
  {
    zone: 'src/api/',
    may: ['src/protocol/', 'src/errors'],
    packages: ['comlink'],
  },
  { zone: 'src/protocol/', may: ['src/errors'], packages: ['comlink'] },
  { zone: 'src/model/', may: ['src/errors'], packages: ['@noble/hashes'] },
  {
    zone: 'src/pipeline/',
    may: [
      'src/model/',
      'src/errors',
      'src/protocol/result',
      'src/engine/session',
      'src/engine/backend',
    ],
  },
  {
    zone: 'src/engine/reference/',
    may: ['src/engine/backend', 'src/engine/planner', 'src/model/', 'src/errors'],
  },
  {
    zone: 'src/engine/wasm/',
    may: [
      'src/engine/asset_cache',
      'src/engine/backend',
      'src/engine/input',
      'src/engine/arena_layout',
      'src/engine/planner',
      'src/model/',
      'src/errors',
    ],
  },
  {
    zone: 'src/engine/webgpu/',
    may: [
      'src/engine/backend',
      'src/engine/arena_layout',
      'src/engine/planner',
      'src/engine/tfjs/',
      'src/model/',
      'src/errors',
    ],
  },
  {
    zone: 'src/engine/tfjs/',
    may: ['src/engine/', 'src/model/', 'src/errors'],
    packages: ['@tensorflow'],
  },
  { zone: 'src/engine/', may: ['src/model/', 'src/errors'] },
  {
    zone: 'src/worker/',
    may: ['src/protocol/', 'src/pipeline/', 'src/model/', 'src/engine/', 'src/errors'],
    packages: ['comlink'],
  },
  {
    zone: 'workers/',
    may: ['src/worker/', 'src/engine/', 'src/protocol/', 'src/errors'],
    packages: ['comlink'],
  },
  { zone: 'demo/', may: ['src/index'] },
];

/** @param {string} file posix path without extension, relative to the root */
function zoneOf(file) {
  return ZONES.find(({ zone }) => inPrefix(file, zone));
}

/**
 * @param {string} file
 * @param {string} prefix
 */
function inPrefix(file, prefix) {
  return prefix.endsWith('/') ? file.startsWith(prefix) : file === prefix;
}

/**
 * Why `importer` may not import `specifier`, or null if it may.
 *
 * @param {string} importer posix path relative to the root
 * @param {string} specifier
 * @returns {string | null}
 */
export function zoneViolation(importer, specifier) {
  const file = importer.replace(/\.[^./]+$/, '');
  const zone = zoneOf(file);
  // A URL brings no code along: the main thread names files that it may not import.
  if (zone === undefined || /\?(?:[^/]*&)?url(?:&|$)/.test(specifier)) return null;
  if (!specifier.startsWith('.')) {
    if (!zone.zone.startsWith('src/') && !zone.zone.startsWith('workers/')) return null;
    const allowed = (zone.packages ?? []).some(
      (name) => specifier === name || specifier.startsWith(`${name}/`),
    );
    return allowed ? null : `${zone.zone} may not import the package '${specifier}'`;
  }
  const target = path.posix
    .join(path.posix.dirname(importer), specifier.replace(/\?.*$/, ''))
    .replace(/\.(ts|js|mjs|css|wasm|wgsl|json)$/, '');
  if (!target.startsWith('src/') && !target.startsWith('workers/')) return null;
  if (inPrefix(target, zone.zone) || zone.may.some((prefix) => inPrefix(target, prefix)))
    return null;
  return `${zone.zone} may not import ${target}; it may import ${zone.may.join(', ') || 'nothing'}`;
}

/** @type {import('eslint').Rule.RuleModule} */
export const zonesRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { zone: '{{reason}} (import zones: scripts/zones.js)' },
  },
  create(context) {
    const importer = path.relative(context.cwd, context.filename).split(path.sep).join('/');
    /** @param {import('estree').Node | null | undefined} source */
    const check = (source) => {
      if (source?.type !== 'Literal' || typeof source.value !== 'string') return;
      const reason = zoneViolation(importer, source.value);
      if (reason !== null) context.report({ node: source, messageId: 'zone', data: { reason } });
    };
    return {
      ImportDeclaration: (node) => {
        check(node.source);
      },
      ExportNamedDeclaration: (node) => {
        check(node.source);
      },
      ExportAllDeclaration: (node) => {
        check(node.source);
      },
      ImportExpression: (node) => {
        check(node.source);
      },
    };
  },
};
