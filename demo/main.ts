/**
 * The page: brings pictures, landmarker, drawing and readout together. One job runs at a time, a new one ends the one before.
 */
import type { SessionInfo, Subject } from '../src/index';
import { startCamera, type Camera } from './camera';
import { byId, onChoice, setChoice } from './dom';
import { Overlay } from './overlay';
import { clearGallery, createGallery, selectedPhoto, stepGallery, type Photo } from './photos';
import {
  resetMeasurements,
  showError,
  showInfo,
  showMeasurements,
  showProgress,
  showStatus,
} from './readout';
import {
  BACKEND_NAMES,
  Session,
  TASK_NAMES,
  type BackendName,
  type Kind,
  type TaskName,
  type Watcher,
} from './session';
import { listenToKeys } from './shortcuts';
import { combine, describe, subjectsOf, type Part, type SightResult } from './sight';
import { acceptUploads } from './uploads';

/** On `window` for scripts that want the numbers: fired as 'bitmarks:result' with each result. */
export interface ResultDetail {
  /** Name of the photo, or 'camera'. */
  readonly picture: string;
  readonly result: SightResult;
  /** Of the landmarker that answered last. */
  readonly info: SessionInfo;
}

const image = byId('photo', HTMLImageElement);
const video = byId('video', HTMLVideoElement);
const cameraButton = byId('camera', HTMLButtonElement);
const copyButton = byId('copy', HTMLButtonElement);
const mirror = byId('mirror', HTMLInputElement);
const overlay = new Overlay(byId('overlay', HTMLCanvasElement));
const session = new Session(backendOfUrl(), showProgress);

let job = new AbortController();
let photo: Photo = { name: '', url: '' };
let camera: Camera | null = null;
let latest: ResultDetail | null = null;
/** The newest answer of each landmarker of the job. */
const parts = new Map<Kind, Part>();

/** Ends the job before and returns the signal of the new one. */
function startJob(): AbortSignal {
  job.abort();
  job = new AbortController();
  camera?.stop();
  camera = null;
  latest = null;
  parts.clear();
  copyButton.disabled = true;
  overlay.show(null);
  resetMeasurements();
  showError(null);
  showView();
  return job.signal;
}

/** What every job does with an error: says it, unless the job has been ended. */
function report(error: unknown, signal: AbortSignal): void {
  showProgress(null);
  session.failed(error);
  if (signal.aborted) return;
  showError(error);
  showStatus('');
}

/** Shows what one landmarker sees, together with what others have seen last. */
function present(picture: string, part: Part): void {
  parts.set(part.kind, part);
  const all = [...parts.values()];
  const result = combine(all);
  latest = { picture, result, info: part.info };
  const isVideo = picture === 'camera';
  overlay.show({ parts: all, mirrored: isVideo && mirror.checked });
  // Of several landmarkers one counts the frames.
  showMeasurements(result, isVideo, all[0] === part);
  copyButton.disabled = all.every((each) => subjectsOf(each).length === 0);
  window.dispatchEvent(new CustomEvent<ResultDetail>('bitmarks:result', { detail: latest }));
}

function infosOf(watchers: readonly Watcher[]): SessionInfo[] {
  return watchers.map(({ landmarker }) => landmarker.info);
}

async function showPhoto(next: Photo): Promise<void> {
  setChoice('source', 'photo');
  const signal = startJob();
  if (photo.url !== next.url) URL.revokeObjectURL(photo.url);
  photo = next;
  showStatus(`Looking at ${next.name}`);
  try {
    image.src = next.url;
    image.alt = `Photo ${next.name}`;
    await image.decode().catch((cause: unknown) => {
      throw new DOMException(`${next.name}: ${String(cause)}`, 'EncodingError');
    });
    const watchers = await session.get(task());
    showInfo(infosOf(watchers));
    const found = await Promise.all(
      watchers.map(async ({ kind, landmarker }): Promise<Part> => {
        const result = await landmarker.detect(image, { signal });
        return { kind, result, info: landmarker.info };
      }),
    );
    if (signal.aborted) return;
    showInfo(infosOf(watchers));
    for (const part of found) present(next.name, part);
    const { backend, timings, ...rest } = combine(found);
    const [subject] = [...rest.faces, ...rest.poses];
    const score = subject === undefined ? '' : `, score ${subject.score.toFixed(2)}`;
    const cost = `${timings.totalMs.toFixed(0)} ms`;
    showStatus(`${describe(found)}${score}, ${cost} in ${next.name} on ${backend}`);
  } catch (error) {
    report(error, signal);
  }
}

async function runCamera(): Promise<void> {
  setChoice('source', 'camera');
  const signal = startJob();
  showStatus('Waiting for the camera');
  try {
    camera = await startCamera(video, signal);
    showView();
    showStatus('The camera is on');
    const watchers = await session.get(task());
    showInfo(infosOf(watchers));
    const { ended } = camera;
    await Promise.all(watchers.map((watcher) => follow(watcher, watchers, ended, signal)));
  } catch (error) {
    report(error, signal);
  } finally {
    // The camera has ended by itself, or could not be started.
    if (!signal.aborted) {
      if (camera !== null) showStatus('The camera has stopped');
      camera?.stop();
      camera = null;
      overlay.show(null);
      showView();
    }
  }
}

/** Each landmarker follows the camera at its own pace. */
async function follow(
  { kind, landmarker }: Watcher,
  watchers: readonly Watcher[],
  ended: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  let said = '';
  for await (const result of landmarker.track(video, { signal: ended })) {
    if (signal.aborted) break;
    present('camera', { kind, result, info: landmarker.info });
    const text = `${describe([...parts.values()])} on ${result.backend}`;
    if (text === said) continue;
    said = text;
    showInfo(infosOf(watchers));
    showStatus(text);
  }
}

/** Shows what belongs to the chosen source and hides the rest. */
function showView(): void {
  const isCamera = sourceIsCamera();
  const isOn = camera !== null;
  image.hidden = isCamera;
  video.hidden = !isCamera || !isOn;
  video.classList.toggle('mirrored', mirror.checked);
  byId('camera-off', HTMLElement).hidden = !isCamera || isOn;
  byId('photo-controls', HTMLElement).hidden = isCamera;
  byId('camera-controls', HTMLElement).hidden = !isCamera;
  cameraButton.textContent = isOn ? 'Stop camera' : 'Start camera';
}

function sourceIsCamera(): boolean {
  return document.querySelector('input[name=source]:checked[value=camera]') !== null;
}

function toggleCamera(): void {
  if (camera === null) {
    void runCamera();
    return;
  }
  startJob();
  showStatus('The camera is off');
}

function backendOfUrl(): BackendName {
  const asked = new URLSearchParams(location.search).get('backend');
  return BACKEND_NAMES.find((name) => name === asked) ?? 'auto';
}

function taskOfUrl(): TaskName {
  const asked = new URLSearchParams(location.search).get('task');
  return TASK_NAMES.find((name) => name === asked) ?? 'face';
}

/** The task that is chosen. */
function task(): TaskName {
  const chosen = document.querySelector<HTMLInputElement>('input[name=task]:checked')?.value;
  return TASK_NAMES.find((name) => name === chosen) ?? 'face';
}

/** Looks again at what is shown, with other landmarkers. */
function lookAgain(): void {
  if (camera !== null) void runCamera();
  else if (!sourceIsCamera()) void showPhoto(photo);
}

/** Landmarks of the picture at hand, in pixels. */
async function copyLandmarks(): Promise<void> {
  if (latest === null) return;
  const { picture, result } = latest;
  const { width, height } = result;
  const inPixels = (subjects: readonly Subject[]): unknown[] =>
    subjects.map(({ id, score, landmarks }) => ({
      id,
      score,
      landmarks: landmarks.map(({ x, y, ...rest }) => ({ x: x * width, y: y * height, ...rest })),
    }));
  const [faces, poses] = [inPixels(result.faces), inPixels(result.poses)];
  const text = JSON.stringify({ picture, width, height, faces, poses }, null, 1);
  try {
    await navigator.clipboard.writeText(text);
    showStatus('Landmarks copied');
  } catch (error) {
    showError(error);
  }
}

function toggleBox(id: string): () => void {
  return () => {
    byId(id, HTMLInputElement).click();
  };
}

function start(): void {
  const show = {
    points: byId('show-points', HTMLInputElement),
    lines: byId('show-lines', HTMLInputElement),
    numbers: byId('show-numbers', HTMLInputElement),
  };
  const applyShow = (): void => {
    overlay.options = {
      points: show.points.checked,
      lines: show.lines.checked,
      numbers: show.numbers.checked,
    };
  };
  for (const box of Object.values(show)) box.addEventListener('change', applyShow);
  // Browsers keep the state of form fields across reloads.
  applyShow();
  setChoice('source', 'photo');
  setChoice('backend', backendOfUrl());
  setChoice('task', taskOfUrl());

  createGallery((chosen) => void showPhoto(chosen));
  acceptUploads((file) => {
    clearGallery();
    void showPhoto({ name: file.name || 'pasted photo', url: URL.createObjectURL(file) });
  });
  onChoice('source', (source) => {
    if (source === 'photo') {
      void showPhoto(photo);
      return;
    }
    startJob();
    showStatus('The camera is off');
  });
  cameraButton.addEventListener('click', toggleCamera);
  mirror.addEventListener('change', () => {
    showView();
  });
  copyButton.addEventListener('click', () => void copyLandmarks());
  onChoice('backend', (value) => {
    showInfo([]);
    session.use(BACKEND_NAMES.find((name) => name === value) ?? 'auto');
    lookAgain();
  });
  onChoice('task', lookAgain);
  listenToKeys({
    arrowleft: () => void showPhoto(stepGallery(-1)),
    arrowright: () => void showPhoto(stepGallery(1)),
    o: () => {
      byId('file', HTMLInputElement).click();
    },
    c: toggleCamera,
    t: () => {
      setChoice('task', TASK_NAMES[(TASK_NAMES.indexOf(task()) + 1) % TASK_NAMES.length] ?? 'face');
      lookAgain();
    },
    m: toggleBox('mirror'),
    p: toggleBox('show-points'),
    l: toggleBox('show-lines'),
    n: toggleBox('show-numbers'),
  });
  void showPhoto(selectedPhoto());
}

start();
