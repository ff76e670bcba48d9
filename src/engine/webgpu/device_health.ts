/**
 * Is the device usable? Watches for its loss, for errors that no call reports, and for close(), and turns them into the
 * errors that callers see. Owns no resources.
 */
import { BitmarksError } from '../../errors';

/** How long a failed call waits to learn whether the device is lost, in milliseconds. */
const LOSS_GRACE_MS = 1000;

export class DeviceHealth {
  /** Resolves with the reason when the device is lost; not when this engine closes it. */
  readonly lost: Promise<string>;
  private lostReason: string | null = null;
  private closed = false;
  private error: string | null = null;

  /** On a borrowed device errors may be another owner's: they are not listened to. */
  constructor(device: GPUDevice, isBorrowed: boolean) {
    this.lost = new Promise((resolve) => {
      void device.lost.then(({ reason, message }) => {
        if (this.closed) return;
        this.lostReason = `the GPU device was lost (${reason}): ${message || 'no message'}`;
        resolve(this.lostReason);
      });
    });
    if (isBorrowed) return;
    device.addEventListener('uncapturederror', (event) => {
      this.error ??= event.error.message;
    });
  }

  close(): void {
    this.closed = true;
  }

  /** Throws 'closed' or 'device/lost' if the device cannot be used, 'backend/failed' once for an error it has reported. */
  check(): void {
    if (this.closed) throw new BitmarksError('closed', 'the WebGPU engine was used after close()');
    if (this.lostReason !== null) throw new BitmarksError('device/lost', this.lostReason);
    if (this.error === null) return;
    const message = `the GPU reported an error: ${this.error}`;
    this.error = null;
    throw new BitmarksError('backend/failed', message);
  }

  /** Runs `action`, which waits for the device, and explains its failure. */
  async guard<T>(action: () => Promise<T>): Promise<T> {
    try {
      const result = await action();
      this.check();
      return result;
    } catch (cause) {
      if (cause instanceof BitmarksError) throw cause;
      await this.awaitLoss();
      this.check();
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new BitmarksError('backend/failed', `the GPU could not finish: ${detail}`, { cause });
    }
  }

  /** A pending map fails before `lost` resolves: give the reason time to arrive. */
  private async awaitLoss(): Promise<void> {
    if (this.closed || this.lostReason !== null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOSS_GRACE_MS);
    });
    await Promise.race([this.lost, grace]);
    clearTimeout(timer);
  }
}
