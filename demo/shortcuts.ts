/**
 * Single-key shortcuts, which the user can switch off. Knows keys, not what they do.
 */
import { byId } from './dom';

/** Keys as KeyboardEvent.key gives them, in lower case. */
export function listenToKeys(actions: Readonly<Record<string, () => void>>): void {
  const enabled = byId('shortcuts', HTMLInputElement);
  document.addEventListener('keydown', (event) => {
    const key = event.key.toLowerCase();
    const action = actions[key];
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
    if (action === undefined || hasModifier || event.repeat || !enabled.checked) return;
    // Arrow keys belong to the radio buttons that have the focus.
    if (key.startsWith('arrow') && event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    action();
  });
}
