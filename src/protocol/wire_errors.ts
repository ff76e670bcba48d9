/**
 * Errors as plain data, and calls that answer with a value or with such an error. Comlink by itself would carry over
 * neither the code nor the cause of an error. Knows no service and no transport.
 */
import { BitmarksError, type BitmarksErrorCode } from '../errors';

export interface WireError {
  readonly code: BitmarksErrorCode;
  readonly message: string;
  /** What the cause said of itself, stack included where it had one. */
  readonly cause?: string;
}

export type WireResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: WireError };

/** A service whose methods answer with WireResult instead of rejecting. */
export type WireService<S> = {
  [K in keyof S]: S[K] extends (...args: infer A) => Promise<infer T>
    ? (...args: A) => Promise<WireResult<T>>
    : never;
};

/** Plain data of any thrown value; what is no BitmarksError gets `code`. */
export function encodeError(error: unknown, code: BitmarksErrorCode): WireError {
  if (!(error instanceof BitmarksError)) {
    return { code, message: textOf(error), ...causeOf(error) };
  }
  return { code: error.code, message: error.message, ...causeOf(error.cause) };
}

/** The inverse of encodeError; the cause comes back as an Error with the same text. */
export function decodeError({ code, message, cause }: WireError): BitmarksError {
  return new BitmarksError(code, message, cause === undefined ? {} : { cause: new Error(cause) });
}

/** Runs the call; its rejection or exception becomes a result. What is no BitmarksError becomes 'worker/crashed'. */
export async function settle<T>(call: () => Promise<T>): Promise<WireResult<T>> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    return { ok: false, error: encodeError(error, 'worker/crashed') };
  }
}

/** The inverse of settle. */
export function unwrap<T>(result: WireResult<T>): T {
  if (result.ok) return result.value;
  throw decodeError(result.error);
}

function causeOf(cause: unknown): { cause?: string } {
  if (cause === undefined) return {};
  return { cause: cause instanceof Error ? (cause.stack ?? textOf(cause)) : textOf(cause) };
}

function textOf(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}
