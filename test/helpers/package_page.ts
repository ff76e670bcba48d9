/**
 * Pages that use the built package the two ways people do, and what came of it. For end-to-end tests in Node.
 */
import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { COMMON_FLAGS, GPU_FLAGS, requireChromium } from '../../scripts/chromium.mjs';

/** What a page reports; `failure` alone when a promise rejected or the script did not load. */
export interface PageOutcome {
  readonly failure?: { readonly code: string; readonly message: string };
  readonly backend?: string;
  readonly refusals?: readonly { readonly backend: string; readonly reason: string }[];
  readonly kernels?: readonly string[];
  readonly device?: string;
  /** x and y of all landmarks of the first face. */
  readonly points?: readonly (readonly [number, number])[];
  readonly isolated?: boolean;
  /** All packs were copies of an earlier visit. */
  readonly isCopy?: boolean;
}

/** Folders for serve(): the photos that the pages open. */
export const PHOTOS = { '/photos/': 'demo/photos' };

/** Runs in the page, with the namespace object of the package: finds a face in a photo, or only gets ready to. */
const RUN = `
async function run(sdk, options, detects) {
  if (sdk === undefined) return { failure: { code: 'blocked', message: 'the script did not load' } };
  try {
    const image = new Image();
    image.src = '/photos/face_01.jpg';
    await image.decode();
    const landmarker = await sdk.FaceLandmarker.create(options);
    try {
      const faces = detects ? (await landmarker.detect(image)).faces : [];
      const { backend, device, kernels, refusals, timings } = landmarker.info;
      const points = faces[0]?.landmarks.map(({ x, y }) => [x, y]) ?? [];
      return { backend, device, kernels, refusals, points, isolated: crossOriginIsolated, isCopy: timings.isCopy };
    } finally {
      landmarker.close();
    }
  } catch (error) {
    return { failure: { code: String(error?.code ?? error?.name), message: String(error?.message) } };
  }
}`;

export interface PageSettings {
  /** Absolute URL, or path on the page's origin, of the package's folder; no slash at the end. */
  readonly sdk: string;
  /** For FaceLandmarker.create. */
  readonly options?: object;
  /** Default true; false: create and close only. */
  readonly detects?: boolean;
}

/**
 * Files for serve(): /global.html loads the script-tag build, /module.html the ESM build. No inline scripts, so that strict
 * content security policies can be tried.
 */
export function packagePages({
  sdk,
  options = {},
  detects = true,
}: PageSettings): Record<string, string> {
  const call = `run(sdk, ${JSON.stringify(options)}, ${String(detects)})`;
  const page = (scripts: string): string =>
    `<!doctype html><meta charset="utf-8"><title>package</title>${scripts}`;
  return {
    '/global.html': page(
      `<script src="${sdk}/bitmarks.global.js"></script><script src="/global.js"></script>`,
    ),
    '/global.js': `${RUN}\nconst sdk = window.bitmarks;\nwindow.outcome = ${call};`,
    '/module.html': page('<script type="module" src="/module.js"></script>'),
    '/module.js': `${RUN}\nwindow.outcome = import('${sdk}/bitmarks.js').catch(() => undefined).then((sdk) => ${call});`,
  };
}

/** Chromium with WebGPU on SwiftShader, or without any GPU adapter. The caller closes it. */
export function launchChromium(gpu: 'swiftshader' | 'none'): Promise<Browser> {
  return chromium.launch({
    executablePath: requireChromium(),
    args: [...COMMON_FLAGS, ...(gpu === 'swiftshader' ? GPU_FLAGS : [])],
  });
}

/** Opens the page in a fresh profile and waits for what it reports. */
export async function visit(browser: Browser, url: string): Promise<PageOutcome> {
  const context = await browser.newContext();
  try {
    return await visitAgain(context, url);
  } finally {
    await context.close();
  }
}

/** The same in a profile that remembers earlier visits. */
export async function visitAgain(context: BrowserContext, url: string): Promise<PageOutcome> {
  const page = await context.newPage();
  try {
    await page.goto(url);
    await page.waitForFunction(() => 'outcome' in window, undefined, { timeout: 20_000 });
    return await page.evaluate(async () => (await Reflect.get(window, 'outcome')) as PageOutcome);
  } finally {
    await page.close();
  }
}
