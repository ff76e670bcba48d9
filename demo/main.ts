/**
 * The page: brings pictures, landmarker, drawing and readout together. One job runs at a time, a new one ends the one before.
 */
import type { FaceLandmarkerResult, SessionInfo } from '../src/index';
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
import { BACKEND_NAMES, Session, type BackendName } from './session';
import { listenToKeys } from './shortcuts';
import { acceptUploads } from './uploads';

/** On `window` for scripts that want the numbers: fired as 'bitmarks:result' with each result. */
export interface ResultDetail {
  /** Name of the photo, or 'camera'. */
  readonly picture: string;
  readonly result: FaceLandmarkerResult;
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

/** Ends the job before and returns the signal of the new one. */
function startJob(): AbortSignal {
  job.abort();
  job = new AbortController();
  camera?.stop();
  camera = null;
  latest = null;
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

function present(picture: string, result: FaceLandmarkerResult, info: SessionInfo): void {
  latest = { picture, result, info };
  const isVideo = picture === 'camera';
  const mirrored = isVideo && mirror.checked;
  overlay.show({ result, connections: info.model.connections, mirrored });
  showMeasurements(result, isVideo);
  copyButton.disabled = result.faces.length === 0;
  window.dispatchEvent(new CustomEvent<ResultDetail>('bitmarks:result', { detail: latest }));
}

async function showPhoto(next: Photo): Promise<void> {
  setChoice('source', 'photo');
  const signal = startJob();
  if (photo.url !== next.url) URL.revokeObjectURL(photo.url);
  photo = next;
  showStatus(`Looking for a face in ${next.name}`);
  try {
    image.src = next.url;
    image.alt = `Photo ${next.name}`;
    await image.decode().catch((cause: unknown) => {
      throw new DOMException(`${next.name}: ${String(cause)}`, 'EncodingError');
    });
    const landmarker = await session.get();
    showInfo(landmarker.info);
    const result = await landmarker.detect(image, { signal });
    if (signal.aborted) return;
    const { info } = landmarker;
    showInfo(info);
    present(next.name, result, info);
    const score = result.faces[0] && `, score ${result.faces[0].score.toFixed(2)}`;
    const cost = `${result.timings.totalMs.toFixed(0)} ms`;
    showStatus(`${found(result)}${score ?? ''}, ${cost} in ${next.name} on ${result.backend}`);
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
    const landmarker = await session.get();
    showInfo(landmarker.info);
    let faces = -1;
    let backend = landmarker.info.backend;
    for await (const result of landmarker.track(video, { signal: camera.ended })) {
      if (signal.aborted) break;
      present('camera', result, landmarker.info);
      if (result.backend !== backend) showInfo(landmarker.info);
      if (result.backend !== backend || result.faces.length !== faces) {
        showStatus(`${found(result)} on ${result.backend}`);
      }
      backend = result.backend;
      faces = result.faces.length;
    }
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

function found({ faces }: FaceLandmarkerResult): string {
  const [face] = faces;
  if (face === undefined) return 'No face found';
  const count = faces.length === 1 ? 'One face' : `${faces.length} faces`;
  return `${count}, ${face.landmarks.length} landmarks`;
}

/** Landmarks of the picture at hand, in pixels. */
async function copyLandmarks(): Promise<void> {
  if (latest === null) return;
  const { picture, result } = latest;
  const { width, height } = result;
  const faces = result.faces.map(({ id, score, landmarks }) => ({
    id,
    score,
    landmarks: landmarks.map(({ x, y, ...rest }) => ({ x: x * width, y: y * height, ...rest })),
  }));
  const text = JSON.stringify({ picture, width, height, faces }, null, 1);
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
    const isOn = camera !== null;
    showInfo(null);
    session.use(BACKEND_NAMES.find((name) => name === value) ?? 'auto');
    if (isOn) void runCamera();
    else if (!sourceIsCamera()) void showPhoto(photo);
  });
  listenToKeys({
    arrowleft: () => void showPhoto(stepGallery(-1)),
    arrowright: () => void showPhoto(stepGallery(1)),
    o: () => {
      byId('file', HTMLInputElement).click();
    },
    c: toggleCamera,
    m: toggleBox('mirror'),
    p: toggleBox('show-points'),
    l: toggleBox('show-lines'),
    n: toggleBox('show-numbers'),
  });
  void showPhoto(selectedPhoto());
}

start();
