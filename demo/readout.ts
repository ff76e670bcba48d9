/**
 * What the page says: measurements, facts about the session, status and errors. Writes text into elements; decides nothing.
 */
import type { LoadProgress, SessionInfo } from '../src/index';
import { byId } from './dom';
import { messageOf } from './messages';
import { RollingMedian, RollingRate } from './rolling';
import type { SightResult } from './sight';

const FRAMES = 60;
const RATE_WINDOW_MS = 3000;
const PHASES: Readonly<Record<LoadProgress['phase'], string>> = {
  download: 'Loading the network',
  compile: 'Preparing the network',
  'self-test': 'Checking that this device computes rightly',
  ready: 'Ready',
};

let times = new RollingMedian(FRAMES);
let rate = new RollingRate(RATE_WINDOW_MS);

/** Forgets the measurements of the picture before. */
export function resetMeasurements(): void {
  times = new RollingMedian(FRAMES);
  rate = new RollingRate(RATE_WINDOW_MS);
  for (const id of ['ms', 'fps', 'score', 'inferences', 'size']) write(id, '–');
}

/** `isVideo`: one of many frames, so that a rate means something. `isFrame`: not the second look at one frame. */
export function showMeasurements(result: SightResult, isVideo: boolean, isFrame: boolean): void {
  const { timings, faces, poses, width, height } = result;
  times.add(timings.totalMs);
  if (isFrame) rate.add(performance.now());
  write('ms', number(times.median));
  write('fps', isVideo ? number(rate.perSecond) : '–');
  write('score', [...faces, ...poses][0]?.score.toFixed(2) ?? '–');
  write('inferences', String(timings.inferences));
  write('size', `${width} × ${height} pixels`);
}

/** Facts about the landmarkers at work; none clears. */
export function showInfo(infos: readonly SessionInfo[]): void {
  const [first] = infos;
  const list = (text: (info: SessionInfo) => string): string => infos.map(text).join('; ') || '–';
  write('backend', first?.backend ?? '–');
  write('device', first?.device || '–');
  write(
    'pack',
    list(({ model, finder, bytes }) => {
      const names = finder === null ? model.name : `${model.name} and ${finder.name}`;
      return `${names}, ${thousands(bytes.pack)} bytes`;
    }),
  );
  write(
    'network',
    list(({ model }) => {
      const size = `${(model.multiplyAdds / 1e6).toFixed(0)} million multiply-adds`;
      return `${size}, ${model.landmarks.length} landmarks`;
    }),
  );
  const refusals = first?.refusals.map(({ backend, reason }) => `${backend}: ${reason}`) ?? [];
  write('refusals', first === undefined ? '–' : refusals.join('; ') || 'none');
  const kernels = infos.flatMap((info) => [...info.kernels, ...(info.finder?.kernels ?? [])]);
  write('kernel-count', String(kernels.length));
  byId('kernels', HTMLOListElement).replaceChildren(
    ...kernels.map((kernel) => {
      const item = document.createElement('li');
      item.textContent = kernel;
      return item;
    }),
  );
}

/** Null hides the bar. */
export function showProgress(progress: LoadProgress | null): void {
  byId('load', HTMLElement).hidden = progress === null || progress.phase === 'ready';
  if (progress === null) return;
  write('progress-label', PHASES[progress.phase]);
  const bar = byId('progress', HTMLProgressElement);
  if (progress.phase === 'download' && progress.totalBytes !== null) {
    bar.max = progress.totalBytes;
    bar.value = progress.loadedBytes;
  } else {
    bar.removeAttribute('value');
  }
}

/** Read out by screen readers: say only what is new. */
export function showStatus(text: string): void {
  const status = byId('status', HTMLElement);
  if (status.textContent !== text) status.textContent = text;
}

/** Null clears. Errors that are no news are passed over. */
export function showError(error: unknown): void {
  const alert = byId('alert', HTMLElement);
  if (error === null) {
    alert.replaceChildren();
    return;
  }
  const message = messageOf(error);
  if (message === null) return;
  const code = document.createElement('code');
  code.textContent = message.code;
  alert.replaceChildren(`${message.text} (`, code, `: ${message.detail})`);
}

function write(id: string, text: string): void {
  const element = byId(id, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}

function number(value: number | null): string {
  if (value === null) return '–';
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function thousands(value: number): string {
  return new Intl.NumberFormat('en').format(value);
}
