/**
 * Keeps what was measured of the kernels for further visits, beside the copies of the modules. It holds for one engine and one
 * module; what cannot be read counts as not measured. Measures nothing.
 */
import { keepCopy, type CacheLike } from '../asset_cache';
import type { MeasuredKernels } from './tuning';

/** The engine that runs here, with its release. */
const engine = (): string =>
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? '';

/** Null where nothing was kept, or by another engine. */
export async function readMeasured(
  moduleUrl: string,
  cache: CacheLike | null,
  userAgent = engine(),
): Promise<MeasuredKernels | null> {
  try {
    const response = await cache?.match(urlOf(moduleUrl));
    const kept: unknown = await response?.json();
    if (!isObject(kept) || kept['engine'] !== userAgent || !isObject(kept['kernels'])) return null;
    const entries = Object.entries(kept['kernels']);
    const names = entries.filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return new Map(names);
  } catch {
    return null;
  }
}

/** A cache that takes nothing is no error. */
export function keepMeasured(
  moduleUrl: string,
  measured: MeasuredKernels,
  cache: CacheLike | null,
  userAgent = engine(),
): Promise<void> {
  const kept = { engine: userAgent, kernels: Object.fromEntries(measured) };
  const bytes = new TextEncoder().encode(JSON.stringify(kept));
  return keepCopy(urlOf(moduleUrl), bytes, 'application/json', cache);
}

function urlOf(moduleUrl: string): string {
  return `${moduleUrl}?kernels`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
