/**
 * Find -> crop -> heatmaps -> landmarks -> smooth -> next region, for still images and for streams of frames.
 * Numbers only: pixels stay behind the `infer` function, and no clock is read but the one handed in.
 */
import type { DetectedSubject, NormalizedLandmark } from '../protocol/result';
import { locateLandmarks, type Infer, type LandmarkModel, type Located } from './locate';
import { OneEuroFilter } from './one_euro_filter';
import type { FrameSize } from './roi';
import type { Task } from './tasks';
import {
  isSameSubject,
  searchFrame,
  searchLevels,
  searchWindows,
  type SearchContext,
} from './window_search';

export interface PipelineModel extends LandmarkModel {
  /** Landmark names, in the order of the heatmap channels. */
  readonly landmarks: readonly string[];
}

/** Thresholds are 0..1; null takes the model's and the task's own. */
export interface PipelineOptions {
  readonly maxSubjects: number;
  /** Least score of a newly found subject. */
  readonly minDetectionConfidence: number | null;
  /** Least score of any subject that is reported. */
  readonly minPresenceConfidence: number | null;
  /** Least score for following a subject into the next frame. */
  readonly minTrackingConfidence: number | null;
  readonly smoothing: boolean;
}

interface FollowedSubject {
  readonly id: number;
  readonly filter: OneEuroFilter;
  readonly located: Located;
}

interface Stream {
  readonly frame: FrameSize;
  readonly nextId: number;
  readonly followed: readonly FollowedSubject[];
  /** Number of search windows passed since the search began. */
  readonly searchPosition: number;
}

export class LandmarkPipeline {
  readonly #model: PipelineModel;
  readonly #task: Task;
  readonly #nowMs: () => number;
  readonly #streams = new Map<number, Stream>();

  constructor(model: PipelineModel, task: Task, nowMs: () => number) {
    this.#model = model;
    this.#task = task;
    this.#nowMs = nowMs;
  }

  /** Looks over the whole image, without memory. Best-scored subject first, ids 0, 1, ... */
  async detect(
    frame: FrameSize,
    infer: Infer,
    options: PipelineOptions,
  ): Promise<DetectedSubject[]> {
    const found = await searchFrame(
      this.#searchContext(frame, infer, options),
      options.maxSubjects,
    );
    return found.map((located, id) => this.#subject(located, id, frame, located.points));
  }

  /**
   * The next frame of a stream. A followed subject costs one inference; a search for missing ones is spread over frames.
   * If `infer` throws, the stream stays as it was before the call.
   */
  async detectInStream(
    streamId: number,
    frame: FrameSize,
    timestampMs: number,
    infer: Infer,
    options: PipelineOptions,
  ): Promise<DetectedSubject[]> {
    const stream = this.#stream(streamId, frame);
    const followed = await this.#follow(stream.followed, frame, infer, options);
    let { nextId, searchPosition } = stream;

    const missing = options.maxSubjects - followed.length;
    if (missing <= 0) {
      searchPosition = 0;
    } else {
      // A subject lost just now is likely to be where large windows look first.
      if (followed.length < stream.followed.length) searchPosition = 0;
      const { windowsPerFrame, windowsWhileTracking, searchBudgetMs } = this.#task.video;
      const windowCount = followed.length === 0 ? windowsPerFrame : windowsWhileTracking;
      const startMs = this.#nowMs();
      // From where the last frame stopped to the last window; the next frame begins anew.
      const windows = searchLevels(frame, this.#task).flat();
      searchPosition %= windows.length;
      const { found, passed } = await searchWindows(
        windows.slice(searchPosition),
        this.#searchContext(frame, infer, options),
        followed.map(({ located }) => located.next),
        missing,
        (tried) => tried < windowCount && this.#nowMs() - startMs < searchBudgetMs,
      );
      searchPosition += passed;
      for (const located of found) {
        followed.push({ id: nextId, filter: new OneEuroFilter(this.#task.smoothing), located });
        nextId += 1;
      }
    }
    this.#streams.set(streamId, { frame, nextId, followed, searchPosition });
    return followed.map((subject) => {
      const points = options.smoothing ? smooth(subject, timestampMs) : subject.located.points;
      return this.#subject(subject.located, subject.id, frame, points);
    });
  }

  /** Forgets the regions, identities and filters of a stream; unknown ids are ignored. */
  endStream(streamId: number): void {
    this.#streams.delete(streamId);
  }

  #stream(streamId: number, frame: FrameSize): Stream {
    const stream = this.#streams.get(streamId);
    if (stream?.frame.width === frame.width && stream.frame.height === frame.height) return stream;
    // Regions of a frame of another size say nothing about this one; identities are still not used twice.
    return { frame, nextId: stream?.nextId ?? 0, followed: [], searchPosition: 0 };
  }

  async #follow(
    subjects: readonly FollowedSubject[],
    frame: FrameSize,
    infer: Infer,
    options: PipelineOptions,
  ): Promise<FollowedSubject[]> {
    const minScore = Math.max(
      options.minTrackingConfidence ?? this.#model.roi.presence * this.#task.trackingShare,
      options.minPresenceConfidence ?? 0,
    );
    const followed: FollowedSubject[] = [];
    for (const subject of subjects.slice(0, options.maxSubjects)) {
      const region = subject.located.next;
      const located = await locateLandmarks(region, frame, this.#model, infer, 0);
      // Of two regions that have run into one subject the elder identity stays.
      const isTaken = followed.some((other) =>
        isSameSubject(other.located.next, located.next, frame, this.#task),
      );
      if (located.score >= minScore && !isTaken) followed.push({ ...subject, located });
    }
    return followed;
  }

  #searchContext(frame: FrameSize, infer: Infer, options: PipelineOptions): SearchContext {
    const minScore = Math.max(
      options.minDetectionConfidence ?? this.#model.roi.presence,
      options.minPresenceConfidence ?? 0,
    );
    return { frame, model: this.#model, task: this.#task, infer, minScore };
  }

  #subject(
    located: Located,
    id: number,
    frame: FrameSize,
    points: readonly { readonly x: number; readonly y: number }[],
  ): DetectedSubject {
    const landmarks = located.points.map(({ x, y, score }, i): NormalizedLandmark => {
      const point = points[i] ?? { x, y };
      return {
        x: point.x / frame.width,
        y: point.y / frame.height,
        score,
        name: this.#model.landmarks[i] ?? String(i),
      };
    });
    return { id, score: located.score, landmarks, roi: located.roi };
  }
}

function smooth(
  { filter, located }: FollowedSubject,
  timestampMs: number,
): { x: number; y: number }[] {
  const flat = located.points.flatMap(({ x, y }) => [x, y]);
  const smoothed = filter.apply(flat, timestampMs, located.next.sizePixels);
  return located.points.map(({ x, y }, i) => ({
    x: smoothed[2 * i] ?? x,
    y: smoothed[2 * i + 1] ?? y,
  }));
}
