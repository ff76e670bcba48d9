/**
 * The user's own photos: picked, dropped or pasted. Hands on files; shows nothing but the drop hint.
 */
import { byId } from './dom';

/** Calls `opened` with each picture that the user hands over by any of the three ways. */
export function acceptUploads(opened: (file: File) => void): void {
  const input = byId('file', HTMLInputElement);
  byId('open', HTMLButtonElement).addEventListener('click', () => {
    input.click();
  });
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) opened(file);
    // The same file may be picked again.
    input.value = '';
  });
  document.addEventListener('paste', ({ clipboardData }) => {
    const file = clipboardData?.files[0];
    if (file !== undefined) opened(file);
  });
  acceptDrops(opened);
}

function acceptDrops(opened: (file: File) => void): void {
  const stage = byId('stage', HTMLElement);
  let depth = 0;
  const show = (): void => {
    stage.classList.toggle('dropping', depth > 0);
  };
  // The whole page takes drops: a photo that misses the picture must not replace the page.
  document.addEventListener('dragenter', (event) => {
    event.preventDefault();
    depth += 1;
    show();
  });
  document.addEventListener('dragleave', () => {
    depth = Math.max(0, depth - 1);
    show();
  });
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    depth = 0;
    show();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) opened(file);
  });
}
