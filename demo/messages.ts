/**
 * Errors in words for people, with the code for those who report them. Knows no DOM.
 */
import { BitmarksError, type BitmarksErrorCode } from '../src/index';

export interface Message {
  /** What happened and what can be done, a sentence or two. */
  readonly text: string;
  readonly code: string;
  /** What the library or browser said itself. */
  readonly detail: string;
}

const CODES: Readonly<Record<BitmarksErrorCode, string>> = {
  'options/invalid': 'The page asked for something that the library does not know.',
  'input/invalid': 'This picture cannot be read. Try a JPEG, PNG or WebP file.',
  'pack/not-found': 'The network is not where this page expects it.',
  'pack/network': 'The network could not be loaded. Check the connection and try again.',
  'pack/truncated': 'The network arrived incomplete. Reload the page.',
  'pack/malformed': 'The file that came is not a network of Bitmarks.',
  'pack/version': 'The network belongs to another version of Bitmarks. Reload the page.',
  'pack/hash': 'The network was damaged on its way. Reload the page.',
  'pack/golden': 'This device computes other values than it should. Choose another backend.',
  'graph/malformed': 'The network breaks the rules that this version expects.',
  'backend/unavailable': 'This backend cannot run here. Choose Auto or another one.',
  'backend/failed': 'The backend failed. Choose another one.',
  'device/lost': 'The graphics device is gone. Choose the backend again to go on.',
  'worker/failed': 'The worker of this page could not be started. Reload the page.',
  'worker/crashed': 'The worker of this page has died. The next picture starts a new one.',
  aborted: 'Stopped.',
  closed: 'Stopped.',
};

/** Names of DOMExceptions by which getUserMedia and HTMLImageElement.decode reject. */
const BROWSER_ERRORS: Readonly<Record<string, string>> = {
  NotAllowedError:
    'The browser does not let this page use the camera. Allow it in the address bar, then start again.',
  NotFoundError: 'No camera was found. Connect one, or open a photo.',
  NotReadableError: 'The camera is in use by something else. Close that, then start again.',
  OverconstrainedError: 'The camera has no format that this page can use.',
  EncodingError: 'This file is no picture that the browser can read. Try a JPEG, PNG or WebP file.',
  SecurityError: 'This page may not use the camera. Open it over https or from localhost.',
};

/** Null for errors that are no news: the user has moved on. */
export function messageOf(error: unknown): Message | null {
  if (error instanceof BitmarksError) {
    if (error.code === 'aborted' || error.code === 'closed') return null;
    return { text: CODES[error.code], code: error.code, detail: error.message };
  }
  const name = error instanceof Error ? error.name : 'Error';
  const detail = error instanceof Error ? error.message : String(error);
  if (name === 'AbortError') return null;
  const text = BROWSER_ERRORS[name];
  return { text: text ?? 'Something went wrong in this page.', code: name, detail };
}
