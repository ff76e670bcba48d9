/**
 * The other end of team.ts: what a helper worker does. It gets module and memory in one message and never returns to its event
 * loop; the team ends it from outside.
 */
import { functionsOf, instantiate } from '../instance';
import { runProgram } from '../program';
import type { WasmVariant } from '../variant';
import { Rendezvous } from './rendezvous';

/** The worker script takes this role when its worker has this name. */
export const HELPER_NAME = 'bitmarks.helper';

/** Messages of a helper, in this order. */
export type HelperMessage = 'listening' | 'ready';

/** The one message to a helper. */
export interface HelperStart {
  readonly variant: WasmVariant;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** 1 for the first helper. */
  readonly thread: number;
  readonly threads: number;
}

/** Waits for the message, then works until the worker is terminated. */
export function serveAsHelper(): void {
  addEventListener(
    'message',
    ({ data }) => {
      follow(data as HelperStart);
    },
    { once: true },
  );
  tell('listening');
}

function tell(message: HelperMessage): void {
  postMessage(message);
}

function follow({ variant, module, memory, thread, threads }: HelperStart): never {
  const functions = functionsOf(instantiate(variant, module, memory, thread));
  // A helper whose team is gone is terminated; it has no one to tell and waits for ever.
  const rendezvous = new Rendezvous(memory, threads, Infinity);
  const meet = (): void => {
    rendezvous.meet();
  };
  tell('ready');
  for (;;) {
    const { address, words } = rendezvous.awaitStart();
    // The buffer is asked for anew, as memory grows. A copy, as another program may lie there once the last barrier is passed.
    const program = new Int32Array(memory.buffer, address + thread * words * 4, words).slice();
    runProgram(program, functions, meet);
  }
}
