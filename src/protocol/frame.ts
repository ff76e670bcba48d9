/**
 * What both threads do with a frame that crosses between them. Pixels are read elsewhere.
 */
import type { FramePayload } from './service';

/** Frees the frame; whoever holds it last does. */
export function closeFrame(frame: FramePayload): void {
  if (frame.kind === 'bitmap') frame.bitmap.close();
  if (frame.kind === 'videoFrame') frame.frame.close();
}
