/**
 * The photos that come with the page, as radio buttons: arrow keys walk through them. Finds no faces.
 */
import { byId, onChoice, radios, setChoice } from './dom';

export interface Photo {
  /** File name, or how the user named it. */
  readonly name: string;
  readonly url: string;
}

const urls = import.meta.glob<string>('./photos/*.jpg', {
  query: '?url',
  import: 'default',
  eager: true,
});

const PHOTOS: readonly Photo[] = Object.entries(urls)
  .map(([path, url]) => ({ name: path.slice(path.lastIndexOf('/') + 1), url }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));

/** Fills the gallery; `chosen` is called with each photo that the user picks, not with the first. */
export function createGallery(chosen: (photo: Photo) => void): void {
  byId('thumbnails', HTMLElement).replaceChildren(...PHOTOS.map(thumbnail));
  onChoice('gallery', (name) => {
    const photo = PHOTOS.find((candidate) => candidate.name === name);
    if (photo !== undefined) chosen(photo);
  });
}

/** The photo picked last; the first one if the user's own photo is shown. */
export function selectedPhoto(): Photo {
  const name = radios('gallery').find(({ checked }) => checked)?.value;
  const photo = PHOTOS.find((candidate) => candidate.name === name) ?? PHOTOS[0];
  if (photo === undefined) throw new Error('the page was built without photos');
  return photo;
}

/** Picks the photo `step` places further on, around the end, and returns it. */
export function stepGallery(step: number): Photo {
  const index = PHOTOS.indexOf(selectedPhoto());
  const photo = PHOTOS[(index + step + PHOTOS.length) % PHOTOS.length] ?? selectedPhoto();
  setChoice('gallery', photo.name);
  const radio = radios('gallery').find(({ checked }) => checked);
  radio?.closest('label')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  return photo;
}

/** Leaves all photos unpicked, so that picking any of them is a change. */
export function clearGallery(): void {
  setChoice('gallery', '');
}

function thumbnail({ name, url }: Photo, index: number): HTMLElement {
  const label = document.createElement('label');
  const radio = document.createElement('input');
  radio.type = 'radio';
  radio.name = 'gallery';
  radio.value = name;
  radio.checked = index === 0;
  radio.setAttribute('aria-label', name);
  const image = document.createElement('img');
  image.src = url;
  image.alt = '';
  image.loading = 'lazy';
  image.decoding = 'async';
  label.append(image, radio);
  return label;
}
