/**
 * The camera: asks for it, plays it, gives it back. Sees no faces.
 */

/** A playing camera. */
export interface Camera {
  /** Aborts when the camera was stopped, by stop() or by itself (unplugged, permission withdrawn). */
  readonly ended: AbortSignal;
  /** Gives the camera back; its light goes out. Idempotent. */
  stop(): void;
}

/**
 * Plays the camera in `video`. Rejects as getUserMedia does; with an AbortError if `signal` aborts first, in which case the
 * camera is given back.
 */
export async function startCamera(video: HTMLVideoElement, signal: AbortSignal): Promise<Camera> {
  // Absent in pages that are not secure, whatever the types say.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new DOMException('navigator.mediaDevices is undefined', 'SecurityError');
  }
  const stream = await devices.getUserMedia({
    video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: 'user' },
  });
  const ended = new AbortController();
  const stop = (): void => {
    if (ended.signal.aborted) return;
    for (const track of stream.getTracks()) track.stop();
    if (video.srcObject === stream) video.srcObject = null;
    ended.abort();
  };
  for (const track of stream.getTracks()) track.addEventListener('ended', stop);
  try {
    signal.throwIfAborted();
    video.srcObject = stream;
    await video.play();
    signal.throwIfAborted();
  } catch (error) {
    stop();
    throw error;
  }
  signal.addEventListener('abort', stop, { once: true });
  return { ended: ended.signal, stop };
}
