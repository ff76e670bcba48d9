/**
 * `npm run evaluate -- --pack FILE --data FILE.json [--backend wasm|reference] [--passes 1|2|3] [--condition NAME]
 * [--landmarks FILE] [--detection SCORE] [--out FILE.json]`
 * Arguments and printing only; bench/evaluate/ does the work.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { CONDITIONS } from '../bench/evaluate/conditions';
import { evaluate, type EvaluateOptions, type Report } from '../bench/evaluate/evaluate';

const USAGE = `usage: npm run evaluate -- --pack FILE --data FILE.json [options]

  --backend wasm|reference   engine to run on (default: wasm)
  --passes 1|2|3             regions read per image; the first is that of the box, further ones those of
                             the landmarks found, as the SDK goes on from a search (default: 1)
  --condition NAME           what each image goes through first: none, occluded (a gray patch over the lower left quarter),
                             dark (a quarter of the light), small (the subject at 40 pixels, enlarged again), blurred,
                             mirrored (also: how far the landmarks then are from those of the image as it is)
  --landmarks FILE           for a finder: the pack that reads what it finds, as the SDK goes on; what it takes for no subject is
                             no find
  --detection SCORE          for a finder: least score of its finds (default: the pack's own)
  --out FILE.json            writes points, score and error of each image

data: { "images": [{ "file": "relative.jpg", "points": [[x, y], null, ...], "box": [x, y, w, h], "normalizer": pixels }] }
  Pixels of the upright image; the center of the first pixel is (0.5, 0.5). Points that are null, or 0 in an optional list
  "known", are not measured. Without "box": the tight box of the points. Without "normalizer": the distance of the outer eye
  corners, for 68 points only.
  "yaw" (degrees), "mouthOpen" and "skinTone" of a row are handed on to --out, where npm run cards groups by them.
  Models with l_shoulder and r_hip also get PCK@0.2: joints within 0.2 of the distance between these two,
  or of "normalizer" where one of them is unknown.
data for a finder: rows with "boxes": [[x, y, w, h], ...] of all subjects (none: []), or "subjects": [[[x, y], ...], ...], or
  the "points" of one subject, for which tight boxes are taken. A find is right if its center is within 0.3 longer sides of
  the box's and its size within a factor of 1.6; what is not right is a false alarm, unless its center lies in one of the boxes "ignored".`;

/** How often a line says how far the run is, in milliseconds. */
const PROGRESS_INTERVAL_MS = 10_000;

function readArguments(): {
  options: Omit<EvaluateOptions, 'onProgress'>;
  out: string | undefined;
} {
  const { values } = parseArgs({
    options: {
      pack: { type: 'string' },
      data: { type: 'string' },
      backend: { type: 'string', default: 'wasm' },
      passes: { type: 'string', default: '1' },
      condition: { type: 'string', default: 'none' },
      landmarks: { type: 'string' },
      detection: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const { pack, data, backend, passes, out } = values;
  if (pack === undefined || data === undefined) throw new Error('--pack and --data are needed');
  if (backend !== 'wasm' && backend !== 'reference') {
    throw new Error(`--backend is '${backend}', expected wasm or reference`);
  }
  if (!['1', '2', '3'].includes(passes))
    throw new Error(`--passes is '${passes}', expected 1, 2 or 3`);
  const condition = CONDITIONS.find((name) => name === values.condition);
  if (condition === undefined) {
    throw new Error(
      `--condition is '${values.condition}', expected one of ${CONDITIONS.join(', ')}`,
    );
  }
  const detection = values.detection === undefined ? null : Number(values.detection);
  if (detection !== null && !(detection >= 0 && detection <= 1)) {
    throw new Error(`--detection is '${values.detection ?? ''}', expected 0 to 1`);
  }
  const { landmarks = null } = values;
  return {
    options: { pack, data, backend, passes: Number(passes), condition, landmarks, detection },
    out,
  };
}

function describe({ model, engine, figures, predictions, skipped, ...rates }: Report): string {
  return [
    `${model.name}, ${model.sizeBytes} bytes, SHA-256 ${model.sha256.slice(0, 16)}`,
    `engine      ${[engine.backend, engine.device].join(' ').trim()}, ${(engine.multiplyAdds / 1e6).toFixed(1)} M multiply-adds`,
    `images      ${predictions.length} evaluated, ${skipped.length} skipped`,
    ...describeFigures(figures),
    `images/s    ${rates.imagesPerSecond.toFixed(2)} with decoding; ${rates.passMs.toFixed(1)} ms for crop and network of a pass`,
  ].join('\n');
}

/** A line for each figure that applies. */
function describeFigures({
  errors,
  disagreement,
  pck,
  reliability,
  recall,
  falseAlarms,
  alarmsInFifty,
}: Report['figures']): string[] {
  const lines: string[] = [];
  if (errors !== null) {
    lines.push(
      `NME         ${errors.nme.toFixed(3)} %`,
      `FR@8 %      ${errors.failureRate.toFixed(2)} %`,
      `AUC@8 %     ${errors.areaUnderCurve.toFixed(2)}`,
    );
  }
  if (disagreement !== null) lines.push(`mirrored    ${disagreement.toFixed(3)} % apart`);
  if (pck !== null) lines.push(`PCK@0.2     ${pck.toFixed(2)} %`);
  if (reliability !== null) {
    lines.push(`score       ${reliability.calibrationError.toFixed(2)} % off (calibration error)`);
    for (const { landmarks, score, right } of reliability.ranges) {
      lines.push(
        `            ${score.toFixed(2)}: ${(100 * right).toFixed(0)} % right of ${landmarks}`,
      );
    }
  }
  if (recall !== null) lines.push(`recall      ${recall.toFixed(2)} %`);
  if (falseAlarms !== null) lines.push(`false alarms ${falseAlarms.toFixed(3)} per image`);
  if (alarmsInFifty !== null) {
    lines.push(`             ${alarmsInFifty.toFixed(2)} in 50 images without a subject`);
  }
  return lines;
}

function progressPrinter(): EvaluateOptions['onProgress'] {
  let nextMs = performance.now() + PROGRESS_INTERVAL_MS;
  return (done, total) => {
    if (performance.now() < nextMs) return;
    nextMs += PROGRESS_INTERVAL_MS;
    console.error(`${done} of ${total}`);
  };
}

function parsedArguments(): ReturnType<typeof readArguments> {
  try {
    return readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { options, out } = parsedArguments();
try {
  const report = await evaluate({ ...options, onProgress: progressPrinter() });
  for (const { name, reason } of report.skipped) console.error(`skipped ${name}: ${reason}`);
  console.log(describe(report));
  if (out !== undefined) writeFileSync(out, `${JSON.stringify(report, null, 1)}\n`);
  if (report.predictions.length === 0) {
    console.error('no image could be evaluated');
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
