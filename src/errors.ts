/**
 * The one error class of Bitmarks and its codes. Nothing else lives here, and this file imports nothing.
 */

/** What went wrong, for programs. The message says what was found, what was expected and what to do. */
export type BitmarksErrorCode =
  | 'options/invalid' // an option has a wrong type, range or name
  | 'input/invalid' // a frame or image that cannot be read
  | 'pack/not-found' // the pack's URL answered with an error status
  | 'pack/network' // the pack's URL could not be reached
  | 'pack/truncated' // fewer bytes than the header promises
  | 'pack/malformed' // the container, manifest or a tensor is not what the contract says
  | 'pack/version' // a pack or graph of another format version
  | 'pack/hash' // the payload differs from its SHA-256
  | 'pack/golden' // a backend computes other heatmaps than the pack's golden vector
  | 'graph/malformed' // the graph breaks a rule of models/README.md
  | 'backend/unavailable' // no backend of those asked for can run here
  | 'backend/failed' // a backend threw while compiling or running
  | 'device/lost' // the GPU device is gone
  | 'worker/failed' // the worker script could not be loaded or started
  | 'worker/crashed' // the worker died or threw outside a call
  | 'aborted' // the caller's AbortSignal fired
  | 'closed'; // used after close(), or closed while running

/** Error thrown by every public function of Bitmarks. */
export class BitmarksError extends Error {
  override readonly name = 'BitmarksError';
  readonly code: BitmarksErrorCode;

  constructor(code: BitmarksErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** By name and code: the script, the worker and the GPU engine are files of their own, each with a copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'BitmarksError' && 'code' in value;
  }
}
