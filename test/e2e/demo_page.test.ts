/**
 * The demo as people use it: by keyboard, on a phone, with their own photos, and when something goes wrong.
 */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Server } from '../helpers/serve';
import { launch, openDemo, resultCount, resultOf, serveDemo } from './support/visit_demo';

let server: Server;
let browser: Browser;

beforeAll(async () => {
  server = await serveDemo();
  browser = await launch('none');
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** Id, or value and name for radio buttons, or text of what has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (element instanceof HTMLInputElement && element.type === 'radio') {
      return `${element.name}=${element.value}`;
    }
    return element?.id !== undefined && element.id !== ''
      ? element.id
      : (element?.textContent ?? '').trim();
  });
}

describe('by keyboard', () => {
  let page: Page;
  beforeAll(async () => {
    page = await openDemo(browser, server.origin);
    await resultOf(page, 'face_01.jpg');
  });
  afterAll(() => page.context().close());

  test('everything is reached in the order of the page, and the focus is seen', async () => {
    const stops: string[] = [];
    for (let i = 0; i < 12; i += 1) {
      await page.keyboard.press('Tab');
      stops.push(await focused(page));
      const outline = await page.evaluate(() => {
        const element = document.activeElement;
        // Radio buttons cannot be seen themselves; their label shows the focus.
        const shown = element?.matches('input[type=radio]') ? element.closest('label') : element;
        return shown instanceof Element ? getComputedStyle(shown).outlineStyle : 'no element';
      });
      expect(outline, stops.at(-1)).toBe('solid');
    }
    expect(stops.map((stop) => stop.replace(/ \(.*/, ''))).toEqual([
      ...['Skip to the picture', 'source=photo', 'task=face', 'open', 'gallery=face_01.jpg'],
      'backend=auto',
      ...['show-points', 'show-lines', 'show-numbers', 'Kernels', 'copy', 'Keyboard'],
    ]);
  });

  test('arrow keys walk through the photos, also when no photo has the focus', async () => {
    await page.locator('input[name=gallery]:checked').focus();
    await page.keyboard.press('ArrowRight');
    await resultOf(page, 'face_02.jpg');
    await page.locator('#open').focus();
    await page.keyboard.press('ArrowRight');
    await resultOf(page, 'face_03.jpg');
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(() =>
      document.querySelector('#status')?.textContent.includes('face_02'),
    );
    expect(await page.locator('input[name=gallery]:checked').inputValue()).toBe('face_02.jpg');
  });

  test('single keys switch points, lines and numbers, and can be switched off', async () => {
    for (const [key, id] of [
      ['p', '#show-points'],
      ['l', '#show-lines'],
      ['n', '#show-numbers'],
    ] as const) {
      const before = await page.locator(id).isChecked();
      await page.keyboard.press(key);
      expect(await page.locator(id).isChecked()).toBe(!before);
    }
    await page.getByText('Keyboard', { exact: true }).click();
    await page.getByLabel('Single-key shortcuts').uncheck();
    const before = await page.locator('#show-points').isChecked();
    await page.keyboard.press('p');
    expect(await page.locator('#show-points').isChecked()).toBe(before);
  });

  test('what happens is said in a live region', async () => {
    const status = page.getByRole('status');
    expect(await status.getAttribute('aria-live')).toBe('polite');
    expect(await status.innerText()).toMatch(
      /One face, 68 landmarks, score [01]\.\d\d, \d+ ms in face_/,
    );
    expect(await page.locator('#overlay').getAttribute('aria-label')).toMatch(
      /^68 landmarks of a face at \d+ % from the left/,
    );
  });
});

describe("with one's own photo", () => {
  let page: Page;
  beforeAll(async () => {
    page = await openDemo(browser, server.origin, { query: '?backend=wasm' });
    await resultOf(page, 'face_01.jpg');
  });
  afterAll(() => page.context().close());

  test('picked', async () => {
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Open a photo' }).click();
    await (
      await chooser
    ).setFiles({
      name: 'mine.jpg',
      mimeType: 'image/jpeg',
      buffer: readFileSync('demo/photos/face_05.jpg'),
    });
    const { result } = await resultOf(page, 'mine.jpg');
    expect(result.faces).toHaveLength(1);
    expect(await page.locator('input[name=gallery]:checked').count()).toBe(0);
  });

  test.each(['drop', 'paste'] as const)('by %s', async (way) => {
    const bytes = [...readFileSync('demo/photos/face_07.jpg')];
    await page.evaluate(
      ([type, data]) => {
        const file = new File([new Uint8Array(data)], `${type}.jpg`, { type: 'image/jpeg' });
        const transfer = new DataTransfer();
        transfer.items.add(file);
        const init = { bubbles: true, cancelable: true };
        document.body.dispatchEvent(
          type === 'drop'
            ? new DragEvent('drop', { ...init, dataTransfer: transfer })
            : new ClipboardEvent('paste', { ...init, clipboardData: transfer }),
        );
      },
      [way, bytes] as const,
    );
    const { result } = await resultOf(page, `${way}.jpg`);
    expect(result.faces).toHaveLength(1);
  });

  test('a file that is no picture is named in words, with a code, and the page goes on', async () => {
    await page.locator('#file').setInputFiles({
      name: 'notes.jpg',
      mimeType: 'image/jpeg',
      buffer: Buffer.from('no picture'),
    });
    const alert = page.getByRole('alert');
    await page.getByText('no picture that the browser can read').waitFor();
    expect(await alert.locator('code').innerText()).toBe('EncodingError');
    expect(await alert.innerText()).toContain('notes.jpg');
    await page.getByRole('radio', { name: 'face_06.jpg' }).check();
    await resultOf(page, 'face_06.jpg');
    expect(await page.locator('#alert').innerText()).toBe('');
  });

  test('a backend that cannot run here says why, and Auto helps', async () => {
    await page.getByRole('radio', { name: 'WebGPU' }).check();
    const alert = page.getByRole('alert');
    await page.getByText('This backend cannot run here').waitFor();
    expect(await alert.locator('code').innerText()).toBe('backend/unavailable');
    expect(await alert.innerText()).toMatch(/adapter/);
    const before = await resultCount(page);
    await page.getByRole('radio', { name: 'Auto' }).check();
    await page.waitForFunction(
      (count) => (Reflect.get(window, 'results') as unknown[]).length > count,
      before,
    );
    expect(await page.locator('#alert').innerText()).toBe('');
    expect(await page.locator('#backend').innerText()).toBe('wasm');
  });

  test('a camera that is not there is named in words, with a code', async () => {
    await page.getByRole('radio', { name: 'Camera' }).check();
    await page.getByRole('button', { name: 'Start camera' }).click();
    const alert = page.getByRole('alert');
    await alert.locator('code').waitFor();
    expect(await alert.locator('code').innerText()).toMatch(/^Not(Found|Allowed|Readable)Error$/);
    expect(await page.getByRole('button', { name: 'Start camera' }).isVisible()).toBe(true);
  });
});

describe('on a phone', () => {
  test.each(['light', 'dark'] as const)('nothing is cut off at 360 pixels, %s', async (scheme) => {
    const page = await openDemo(browser, server.origin, {
      viewport: { width: 360, height: 740 },
      deviceScaleFactor: 2,
      isMobile: true,
      hasTouch: true,
      colorScheme: scheme,
      reducedMotion: 'reduce',
    });
    await resultOf(page, 'face_01.jpg');
    const facts = await page.evaluate(() => {
      const background = getComputedStyle(document.body).backgroundColor;
      const [red = 0, green = 0, blue = 0] = (background.match(/\d+/g) ?? []).map(Number);
      const small = [
        ...document.querySelectorAll<HTMLElement>('button, .segments label, .gallery label'),
      ]
        .filter((element) => element.offsetParent !== null && element.offsetHeight < 36)
        .map((element) => element.textContent);
      return {
        overflow: document.documentElement.scrollWidth - window.innerWidth,
        isDark: red + green + blue < 200,
        small,
        moving: getComputedStyle(document.querySelector('.drop-hint') ?? document.body)
          .transitionDuration,
        stage: document.querySelector('#stage')?.getBoundingClientRect().toJSON() as DOMRect,
      };
    });
    expect(facts.overflow).toBe(0);
    expect(facts.isDark).toBe(scheme === 'dark');
    expect(facts.small).toEqual([]);
    expect(facts.moving).toBe('0s');
    // The whole picture is on the first screen.
    expect(facts.stage.y + facts.stage.height).toBeLessThan(740);
    expect(facts.stage.width).toBeGreaterThan(320);
    await page.context().close();
  });
});
