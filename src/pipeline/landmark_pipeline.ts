/**
 * Find -> crop -> heatmaps -> landmarks -> smooth -> next region, for still images and for streams of frames.
 * Numbers only: pixels stay behind the `infer` function, and no clock is read but the one handed in.
 */
import type { DetectedSubject, NormalizedLandmark } from '../protocol/result';
import { readCutOff } from './cut_off';
import { findInStill, findSubjects, type FinderContext, type InferFinder } from './finder';
import { clearScore, locateLandmarks, regionToFollow, type Infer, type Located } from './locate';
import { OneEuroFilter } from './one_euro_filter';
import type { FinderModel, LandmarkModel } from './pack_models';
import { coveredShare, type FrameSize } from './roi';
import { isSameSubject } from './same_subject';
import type { Task } from './tasks';
import {
  SEARCH,
  searchFrame,
  searchLevels,
  searchWindows,
  type SearchContext,
} from './window_search';

export interface PipelineModels {
  readonly landmarks: LandmarkModel;
  /** Null: windows of the frame are searched with the landmark network. */
  readonly finder: FinderModel | null;
}

/** How the two networks are run on a region of the frame at hand. */
export interface PipelineNetworks {
  readonly landmarks: Infer;
  readonly finder: InferFinder;
}

/** Thresholds are 0..1; null takes the model's and the task's own. */
export interface PipelineOptions {
  readonly maxSubjects: number;
  /** Least score that the finder gives a new subject. */
  readonly minDetectionConfidence: number | null;
  /** Least landmark score of any subject that is reported. */
  readonly minPresenceConfidence: number | null;
  /** Least landmark score for following a subject into the next frame. */
  readonly minTrackingConfidence: number | null;
  readonly smoothing: boolean;
}

/** A doubtful subject is part of another find whose region covers its own by this share. */
const PART_SHARE = 0.8;

interface FollowedSubject {
  readonly id: number;
  readonly filter: OneEuroFilter;
  readonly located: Located;
}

interface Stream {
  readonly frame: FrameSize;
  readonly nextId: number;
  readonly followed: readonly FollowedSubject[];
  /** When new subjects, or limbs that are cut off, were last looked for. */
  readonly lastSearchMs: number;
  /** Number of search windows passed since the search began. */
  readonly searchPosition: number;
}

export class LandmarkPipeline {
  readonly #model: LandmarkModel;
  readonly #finder: FinderModel | null;
  readonly #task: Task;
  readonly #nowMs: () => number;
  readonly #streams = new Map<number, Stream>();

  constructor({ landmarks, finder }: PipelineModels, task: Task, nowMs: () => number) {
    this.#model = landmarks;
    this.#finder = finder;
    this.#task = task;
    this.#nowMs = nowMs;
  }

  /** Looks over the whole image, without memory. Best-scored subject first, ids 0, 1, ... */
  async detect(
    frame: FrameSize,
    networks: PipelineNetworks,
    options: PipelineOptions,
  ): Promise<DetectedSubject[]> {
    const { presence } = this.#model.roi;
    const context = this.#finderContext(frame, networks, options, presence);
    const found =
      context === null
        ? await searchFrame(
            this.#searchContext(frame, networks, options, presence),
            options.maxSubjects,
          )
        : await findInStill(context, options.maxSubjects);
    return found.map((located, id) => this.#subject(located, id, frame, located.points));
  }

  /**
   * The next frame of a stream. A followed subject costs one inference; missing ones are looked for in every frame while none is
   * followed, at once when one was lost, and else at intervals, as are those whose score is doubtful: a region can rest on a part
   * of its subject, as of a person who was found while walking in. At the same intervals limbs that a region cuts off are looked
   * for, which costs two inferences for each subject with one. If a network throws, the stream stays as it was before the call.
   */
  async detectInStream(
    streamId: number,
    frame: FrameSize,
    timestampMs: number,
    networks: PipelineNetworks,
    options: PipelineOptions,
  ): Promise<DetectedSubject[]> {
    const stream = this.#stream(streamId, frame);
    let followed = await this.#follow(stream.followed, frame, networks.landmarks, options);
    let { nextId, lastSearchMs, searchPosition } = stream;

    const missing = options.maxSubjects - followed.length;
    const hasLost = followed.length < stream.followed.length;
    const context = this.#finderContext(frame, networks, options, this.#streamPresence);
    let found: Located[] = [];
    if (context === null) {
      if (missing <= 0 || hasLost) searchPosition = 0;
      if (missing > 0) {
        const searched = await this.#searchOn(
          searchPosition,
          this.#searchContext(frame, networks, options, this.#streamPresence),
          followed.map(({ located }) => located),
          missing,
        );
        ({ found, searchPosition } = searched);
      }
    } else {
      const sinceMs = timestampMs - lastSearchMs;
      const sure = followed.filter((subject) => !isDoubtful(subject, context));
      const doubtfulCount = followed.length - sure.length;
      const { findIntervalMs, reviewIntervalMs } = this.#task;
      // Time that runs backwards is a video that begins anew.
      const isDue =
        sinceMs >= (doubtfulCount > 0 ? reviewIntervalMs : findIntervalMs) || sinceMs < 0;
      const wanted = missing + doubtfulCount;
      if (followed.length === 0 || hasLost || isDue) {
        lastSearchMs = timestampMs;
        const known = sure.map(({ located }) => located);
        const seen = wanted > 0 ? await findSubjects(context, known, wanted) : [];
        found = review(followed, seen, context).slice(0, missing);
        followed = await this.#withCutOff(followed, seen, frame, networks.landmarks);
      }
    }
    for (const located of found) {
      followed.push({ id: nextId, filter: new OneEuroFilter(this.#task.smoothing), located });
      nextId += 1;
    }
    this.#streams.set(streamId, { frame, nextId, followed, lastSearchMs, searchPosition });
    return followed.map((subject) => {
      const points = options.smoothing ? smooth(subject, timestampMs) : subject.located.points;
      return this.#subject(subject.located, subject.id, frame, points);
    });
  }

  /** Forgets the regions, identities and filters of a stream; unknown ids are ignored. */
  endStream(streamId: number): void {
    this.#streams.delete(streamId);
  }

  /** Presence score that a stream asks for where the caller says nothing. */
  get #streamPresence(): number {
    return Math.max(this.#model.roi.presence, this.#task.streamPresence);
  }

  #stream(streamId: number, frame: FrameSize): Stream {
    const stream = this.#streams.get(streamId);
    if (stream?.frame.width === frame.width && stream.frame.height === frame.height) return stream;
    // Regions of a frame of another size say nothing about this one; identities are still not used twice.
    const nextId = stream?.nextId ?? 0;
    return { frame, nextId, followed: [], lastSearchMs: -Infinity, searchPosition: 0 };
  }

  async #follow(
    subjects: readonly FollowedSubject[],
    frame: FrameSize,
    infer: Infer,
    options: PipelineOptions,
  ): Promise<FollowedSubject[]> {
    const { minTrackingConfidence, minPresenceConfidence } = options;
    const presence = minPresenceConfidence ?? this.#streamPresence;
    const minScore = Math.max(
      minTrackingConfidence ?? presence * this.#task.trackingShare,
      minPresenceConfidence ?? 0,
    );
    const followed: FollowedSubject[] = [];
    for (const subject of subjects.slice(0, options.maxSubjects)) {
      const region = regionToFollow(subject.located, frame, clearScore(presence));
      const located = await locateLandmarks(region, frame, this.#model, infer, 0);
      // Of two regions that have run into one subject the elder identity stays.
      const isTaken = followed.some((other) =>
        isSameSubject(other.located, located, frame, this.#task, this.#model.roi),
      );
      if (located.score >= minScore && !isTaken) followed.push({ ...subject, located });
    }
    return followed;
  }

  /** The subjects, those with limbs that their region cuts off read once more; what was `seen` anew has been read so already. */
  async #withCutOff(
    subjects: readonly FollowedSubject[],
    seen: readonly Located[],
    frame: FrameSize,
    infer: Infer,
  ): Promise<FollowedSubject[]> {
    const read: FollowedSubject[] = [];
    for (const subject of subjects) {
      const { located } = subject;
      const whole = seen.includes(located)
        ? located
        : await readCutOff(located, frame, this.#task, this.#model, infer);
      read.push(whole === located ? subject : readAnew(subject, whole, this.#task));
    }
    return read;
  }

  #finderContext(
    frame: FrameSize,
    { landmarks, finder: inferFinder }: PipelineNetworks,
    { minDetectionConfidence, minPresenceConfidence }: PipelineOptions,
    presence: number,
  ): FinderContext | null {
    const finder = this.#finder;
    if (finder === null) return null;
    return {
      frame,
      task: this.#task,
      model: this.#model,
      finder,
      infer: landmarks,
      inferFinder,
      minFinderScore: minDetectionConfidence ?? finder.presence,
      minScore: minPresenceConfidence ?? presence,
    };
  }

  #searchContext(
    frame: FrameSize,
    { landmarks }: PipelineNetworks,
    options: PipelineOptions,
    presence: number,
  ): SearchContext {
    const minScore = Math.max(
      options.minDetectionConfidence ?? presence,
      options.minPresenceConfidence ?? 0,
    );
    const sides = this.#task.searchSides;
    return { frame, model: this.#model, sides, infer: landmarks, minScore };
  }

  /** Searches the windows from `position` to the last one, as far as the time of a frame goes; the next frame goes on. */
  async #searchOn(
    position: number,
    context: SearchContext,
    known: readonly Located[],
    missing: number,
  ): Promise<{ found: Located[]; searchPosition: number }> {
    const windowCount = known.length === 0 ? SEARCH.windowsPerFrame : SEARCH.windowsWhileTracking;
    const startMs = this.#nowMs();
    const windows = searchLevels(context.frame, context.sides).flat();
    const first = position % windows.length;
    const { found, passed } = await searchWindows(
      windows.slice(first),
      context,
      known.map(({ next }) => next),
      missing,
      (tried) => tried < windowCount && this.#nowMs() - startMs < SEARCH.budgetMs,
    );
    return { found, searchPosition: first + passed };
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

function isDoubtful({ located }: FollowedSubject, { minScore }: FinderContext): boolean {
  return located.score < clearScore(minScore);
}

/** The subject from a reading of another region: its landmarks jump, which must not be smoothed. */
function readAnew({ id }: FollowedSubject, located: Located, task: Task): FollowedSubject {
  return { id, filter: new OneEuroFilter(task.smoothing), located };
}

/**
 * Lets what was `seen` anew take the place of doubtful `followed` subjects (changed in place) where it is the same subject, or holds it
 * as a part, with a better score; returns the rest of it.
 */
function review(
  followed: FollowedSubject[],
  seen: readonly Located[],
  context: FinderContext,
): Located[] {
  const { frame, task, model } = context;
  const isSame = (a: Located, b: Located): boolean => isSameSubject(a, b, frame, task, model.roi);
  const isPart = (part: Located, whole: Located): boolean =>
    coveredShare(part.next, whole.next, frame) >= PART_SHARE;
  let rest = [...seen];
  for (const belongs of [isSame, isPart]) {
    for (const [index, subject] of followed.entries()) {
      if (!isDoubtful(subject, context)) continue;
      const anew = rest.find((located) => belongs(subject.located, located));
      if (anew === undefined) continue;
      rest = rest.filter((located) => located !== anew);
      if (anew.score <= subject.located.score) continue;
      followed[index] = readAnew(subject, anew, task);
    }
  }
  return rest;
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
