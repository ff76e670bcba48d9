/**
 * Typed look-ups in the page. Nothing that knows the demo.
 */

/** The element with this id. Throws if the page has none of this class: page and script are then of different versions. */
export function byId<T extends Element>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${type.name} with the id '${id}'`);
}

/** Calls `changed` with the chosen value of the radio buttons called `name`, on every change by the user. */
export function onChoice(name: string, changed: (value: string) => void): void {
  document.addEventListener('change', ({ target }) => {
    if (target instanceof HTMLInputElement && target.type === 'radio' && target.name === name) {
      changed(target.value);
    }
  });
}

/** Checks the radio button `name` = `value` without telling onChoice. */
export function setChoice(name: string, value: string): void {
  for (const radio of radios(name)) radio.checked = radio.value === value;
}

/** The radio buttons called `name`, in the order of the page. */
export function radios(name: string): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>(`input[type=radio][name="${name}"]`)];
}
