/**
 * Which of the two WASM modules this engine can run. A feature test by doing: engines exist that accept relaxed SIMD and
 * compute its dot products wrongly (V8 11.3, behind a flag). Loads and compiles nothing but its own tiny probes.
 */

export type WasmVariant = 'simd128' | 'relaxed';

/** What runs here: per variant why it cannot, null if it can. */
export interface VariantReport extends Readonly<Record<WasmVariant, string | null>> {
  /** Whether the engine makes one instruction of a relaxed dot product of four bytes. */
  readonly fusedDot: boolean;
}

/** The part of WebAssembly that the probe needs; tests put another engine in its place. */
export interface ProbeEngine {
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** Calls the exported function `f` of the module. */
  run(bytes: Uint8Array<ArrayBuffer>): unknown;
}

const ENGINE: ProbeEngine = {
  validate: (bytes) => typeof WebAssembly === 'object' && WebAssembly.validate(bytes),
  run: (bytes) => {
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    return typeof f === 'function' ? (f as () => unknown)() : undefined;
  },
};

/** Tests what the engine has and whether it computes rightly. Never throws. */
export function probeVariants(engine: ProbeEngine = ENGINE): VariantReport {
  const simd128 = probe(engine, SIMD128_PROBE);
  if (simd128 !== 'right') {
    const reason = 'this browser has no WebAssembly SIMD; a browser of 2023 or later has it';
    return { simd128: reason, relaxed: reason, fusedDot: false };
  }
  const relaxed = probe(engine, RELAXED_PROBE);
  if (relaxed === 'right') {
    return { simd128: null, relaxed: null, fusedDot: probe(engine, FUSED_PROBE) === 'right' };
  }
  return {
    simd128: null,
    relaxed:
      relaxed === 'missing'
        ? 'this engine has no relaxed WebAssembly SIMD; the simd128 variant runs here'
        : 'this engine computes relaxed dot products wrongly; the simd128 variant runs here',
    fusedDot: false,
  };
}

function probe(engine: ProbeEngine, bytes: Uint8Array<ArrayBuffer>): 'missing' | 'wrong' | 'right' {
  try {
    if (!engine.validate(bytes)) return 'missing';
    return engine.run(bytes) === 1 ? 'right' : 'wrong';
  } catch {
    return 'missing';
  }
}

// The probes are modules with one function f: () -> i32 that compares each operation with its known result.

const END = 0x0b;
const I32_AND = 0x71;
const I32_EQZ = 0x45;
const I16X8_ADD = [0xfd, 0x8e, 0x01];
const I8X16_EQ = [0xfd, 0x23];
const I8X16_ALL_TRUE = [0xfd, 0x63];
const RELAXED_Q15MULR = [0xfd, 0x91, 0x02];
const RELAXED_DOT_I16 = [0xfd, 0x92, 0x02];
const RELAXED_DOT_ADD_I32 = [0xfd, 0x93, 0x02];

/** v128.const of a typed array of 16 bytes. */
function constant(values: Int8Array | Int16Array | Int32Array): readonly number[] {
  return [0xfd, 0x0c, ...new Uint8Array(values.buffer)];
}

/** Code that leaves 1 if the vector made by `code` equals `expected` in all bytes, else 0. */
function equals(code: readonly number[], expected: Int16Array | Int32Array): readonly number[] {
  return [...code, ...constant(expected), ...I8X16_EQ, ...I8X16_ALL_TRUE];
}

/** A module whose function f runs the code; all lengths stay below 16384, so two LEB128 bytes hold them. */
function moduleOf(code: readonly number[]): Uint8Array<ArrayBuffer> {
  const length = (bytes: readonly number[]): readonly number[] => [
    (bytes.length & 0x7f) | 0x80,
    bytes.length >> 7,
    ...bytes,
  ];
  const body = [0, ...code, END];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f], // type 0: () -> i32
    ...[0x03, 0x02, 0x01, 0x00], // function 0 has type 0
    ...[0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00], // export "f"
    ...[0x0a, ...length([0x01, ...length(body)])],
  ]);
}

const SIMD128_PROBE = moduleOf(
  equals(
    [
      ...constant(Int16Array.of(1, -2, 3, -4, 5, -6, 7, -8)),
      ...constant(Int16Array.of(10, 20, 30, 40, 50, 60, 70, 80)),
      ...I16X8_ADD,
    ],
    Int16Array.of(11, 18, 33, 36, 55, 54, 77, 72),
  ),
);

// The extremes of both operands, where saturation or the wrong signedness would show.
const WEIGHTS = constant(
  Int8Array.of(-1, -1, 1, -1, 127, 127, -127, -127, 1, 0, 0, 1, -127, 127, 5, -7),
);
const ACTIVATIONS = constant(
  Int8Array.of(127, 127, 127, 1, 127, 127, 127, 127, 3, 9, 3, 9, 100, 50, 11, 13),
);
const SUMS = constant(Int32Array.of(1_000_000, -5, 7, 1));

const RELAXED_PROBE = moduleOf([
  ...equals(
    [...WEIGHTS, ...ACTIVATIONS, ...RELAXED_DOT_I16],
    Int16Array.of(-254, 126, 32258, -32258, 3, 9, -6350, -36),
  ),
  ...equals(
    [...WEIGHTS, ...ACTIVATIONS, ...SUMS, ...RELAXED_DOT_ADD_I32],
    Int32Array.of(999_872, -5, 19, -6385),
  ),
  I32_AND,
  ...equals(
    [
      ...constant(Int16Array.of(-32768, 32767, 1, -1, 16384, -16384, 0, 3)),
      ...constant(Int16Array.of(32767, 32767, 16384, 16384, 1, 1, 5, -32767)),
      ...RELAXED_Q15MULR,
    ],
    Int16Array.of(-32767, 32766, 1, 0, 1, 0, 0, -3),
  ),
  I32_AND,
]);

// Where the dot product of four is made of a dot product of two (x86 without VNNI), 127 * 255 + 127 * 255 saturates to 32767
// in between. Activations of 255 are outside of what the operation defines, which is what makes engines tell themselves apart.
const FUSED_PROBE = moduleOf([
  ...equals(
    [
      ...constant(new Int8Array(16).fill(127)),
      ...constant(new Int8Array(16).fill(-1)),
      ...constant(new Int32Array(4)),
      ...RELAXED_DOT_ADD_I32,
    ],
    new Int32Array(4).fill(2 * 32767),
  ),
  I32_EQZ,
]);
