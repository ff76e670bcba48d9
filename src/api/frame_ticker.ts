/**
 * Tells when a video shows a new frame. Frames that come while nobody waits are merged into one: the newest. Takes no
 * snapshots.
 */
import { BitmarksError } from '../errors';

export interface FrameTick {
  /** Time of the frame on the clock of performance.now(). */
  readonly timestampMs: number;
}

export class FrameTicker {
  readonly #video: HTMLVideoElement;
  readonly #signal: AbortSignal;
  #fresh: FrameTick | null = null;
  #wake: (() => void) | null = null;
  #cancel: () => void = () => undefined;
  #lastTimestampMs = -Infinity;
  #lastVideoTime = -1;

  /** Begins to listen; stops when `signal` aborts. A video that already shows a frame ticks at once. */
  constructor(video: HTMLVideoElement, signal: AbortSignal) {
    this.#video = video;
    this.#signal = signal;
    const wake = (): void => {
      this.#wake?.();
    };
    video.addEventListener('ended', wake, { signal });
    video.addEventListener('error', wake, { signal });
    signal.addEventListener('abort', () => {
      this.#cancel();
      wake();
    });
    if (this.#isShowing()) this.#tick(performance.now());
    this.#listen();
  }

  /** The next frame not yet returned; null when the video has ended or the signal has aborted. */
  async next(): Promise<FrameTick | null> {
    for (;;) {
      if (this.#signal.aborted) return null;
      const tick = this.#fresh;
      this.#fresh = null;
      // A video whose source was changed since has no frame until the new one begins.
      if (tick !== null && this.#isShowing()) return tick;
      if (this.#video.ended) return null;
      if (this.#video.error !== null) {
        throw new BitmarksError(
          'input/invalid',
          `the video cannot be played: ${this.#video.error.message}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  #isShowing(): boolean {
    return this.#video.readyState >= this.#video.HAVE_CURRENT_DATA;
  }

  #listen(): void {
    if (this.#signal.aborted) return;
    const video = this.#video;
    if ('requestVideoFrameCallback' in video) {
      const handle = video.requestVideoFrameCallback((nowMs) => {
        this.#tick(nowMs);
        this.#listen();
      });
      this.#cancel = () => {
        video.cancelVideoFrameCallback(handle);
      };
    } else {
      const handle = requestAnimationFrame((nowMs) => {
        // The playback position stands still between two frames only roughly, but always while nothing plays.
        if (this.#video.currentTime !== this.#lastVideoTime) this.#tick(nowMs);
        this.#lastVideoTime = this.#video.currentTime;
        this.#listen();
      });
      this.#cancel = () => {
        cancelAnimationFrame(handle);
      };
    }
  }

  #tick(nowMs: number): void {
    // Callbacks of one rendering share their time.
    this.#lastTimestampMs = Math.max(nowMs, this.#lastTimestampMs + 0.1);
    this.#fresh = { timestampMs: this.#lastTimestampMs };
    this.#wake?.();
  }
}

export interface StreamPlayer {
  readonly video: HTMLVideoElement;
  /** Throws 'input/invalid' if the stream could not be played. */
  throwIfFailed(): void;
}

/**
 * Plays a stream in a video that is not shown, until `stop` aborts; aborts it itself when the stream fails or ends. The
 * tracks are the caller's and go on. Throws 'input/invalid' for a stream without pictures.
 */
export function playStream(stream: MediaStream, stop: AbortController): StreamPlayer {
  const tracks = stream.getVideoTracks();
  if (!tracks.some(({ readyState }) => readyState === 'live')) {
    throw new BitmarksError('input/invalid', 'the MediaStream has no live video track');
  }
  const end = (): void => {
    stop.abort();
  };
  for (const track of tracks) track.addEventListener('ended', end, { signal: stop.signal });
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  stop.signal.addEventListener('abort', () => {
    video.pause();
    video.srcObject = null;
  });
  let failure: BitmarksError | null = null;
  video.play().catch((cause: unknown) => {
    failure = new BitmarksError('input/invalid', 'the MediaStream cannot be played', { cause });
    end();
  });
  return {
    video,
    throwIfFailed: () => {
      if (failure !== null) throw failure;
    },
  };
}
