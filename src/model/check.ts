/**
 * Reading untrusted JSON: each function returns a value of the asked type and range or throws a BitmarksError that
 * names the place, what was found and what was expected. Knows nothing of graphs, manifests or packs.
 */
import { BitmarksError, type BitmarksErrorCode } from '../errors';

const SHOWN_CHARACTERS = 60;

/** Short text of any value for an error message; never throws, never long. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The text in quotes, cut to a length that fits an error message. */
export function quote(text: string): string {
  return JSON.stringify(
    text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text,
  );
}

/** Checks for one kind of file. `where` is the path of the value, e.g. "graph.nodes[3].kernel". */
export class JsonChecker {
  private readonly code: BitmarksErrorCode;

  constructor(code: BitmarksErrorCode) {
    this.code = code;
  }

  fail(where: string, found: string, expected: string): BitmarksError {
    return new BitmarksError(this.code, `${where} is ${found}, expected ${expected}`);
  }

  record(value: unknown, where: string): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.fail(where, describe(value), 'an object');
    }
    return value as Readonly<Record<string, unknown>>;
  }

  /** A field of the object itself; inherited names such as "constructor" count as absent. */
  field(record: Readonly<Record<string, unknown>>, key: string): unknown {
    return Object.hasOwn(record, key) ? record[key] : undefined;
  }

  array(value: unknown, where: string, minLength: number, maxLength: number): readonly unknown[] {
    if (!Array.isArray(value) || value.length < minLength || value.length > maxLength) {
      const range = minLength === maxLength ? String(minLength) : `${minLength} to ${maxLength}`;
      throw this.fail(where, describe(value), `an array of ${range} entries`);
    }
    return value as readonly unknown[];
  }

  integer(value: unknown, where: string, min: number, max: number): number {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw this.fail(where, describe(value), `an integer from ${min} to ${max}`);
    }
    return value;
  }

  /** A finite number in min..max. */
  number(value: unknown, where: string, min: number, max: number): number {
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.fail(where, describe(value), `a number from ${min} to ${max}`);
    }
    return value;
  }

  boolean(value: unknown, where: string): boolean {
    if (typeof value !== 'boolean') throw this.fail(where, describe(value), 'true or false');
    return value;
  }

  text(value: unknown, where: string, maxLength: number): string {
    if (typeof value !== 'string' || value.length > maxLength) {
      throw this.fail(where, describe(value), `a string of at most ${maxLength} characters`);
    }
    return value;
  }

  /** A string that can serve as a key: not empty. */
  name(value: unknown, where: string, maxLength = 200): string {
    const text = this.text(value, where, maxLength);
    if (text === '') throw this.fail(where, 'an empty string', 'a name');
    return text;
  }
}
