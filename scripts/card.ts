/**
 * The measured part of a pack's card: what the pack itself says, and what evaluations of it gave. Text only; reads no files.
 */
import type { Condition } from '../bench/evaluate/conditions';
import type { Prediction, Report } from '../bench/evaluate/evaluate';
import { figuresOf, type Reliability } from '../bench/evaluate/metrics';
import { planGraph } from '../src/engine/planner';
import type { Model } from '../src/model/types';
import { table } from './figures';

const START = '<!-- measured -->';
const END = '<!-- /measured -->';

/** An open mouth: the inner lips are this far apart, in widths of the jaw. */
const OPEN_MOUTH = 0.09;

const CONDITION_NAMES: Readonly<Record<Condition, string>> = {
  none: 'all',
  occluded: 'gray patch over the lower left quarter',
  dark: 'a quarter of the light',
  small: 'subjects of 40 pixels, enlarged',
  blurred: 'blurred by 2 % of the subject',
  mirrored: 'mirrored',
};

/** Images of the plain report that have something in common; those without the trait are in none. */
const GROUPS: readonly (readonly [string, (prediction: Prediction) => boolean])[] = [
  ['yaw below 15 degrees', ({ yaw }) => isYawWithin(yaw, 0, 15)],
  ['yaw 15 to 30 degrees', ({ yaw }) => isYawWithin(yaw, 15, 30)],
  ['yaw 30 to 45 degrees', ({ yaw }) => isYawWithin(yaw, 30, 45)],
  ['yaw 45 degrees and more', ({ yaw }) => isYawWithin(yaw, 45, Infinity)],
  ['light skin (angle above 41 degrees)', ({ skinTone }) => isWithin(skinTone, 41, Infinity)],
  ['medium skin (10 to 41 degrees)', ({ skinTone }) => isWithin(skinTone, 10, 41)],
  ['brown skin (-30 to 10 degrees)', ({ skinTone }) => isWithin(skinTone, -30, 10)],
  ['dark skin (below -30 degrees)', ({ skinTone }) => isWithin(skinTone, -Infinity, -30)],
  ['open mouth', ({ mouthOpen }) => mouthOpen !== undefined && mouthOpen > OPEN_MOUTH],
];

/** Throws when a report is of another pack. */
export function measuredPart(model: Model, reports: readonly Report[]): string {
  for (const { model: other } of reports) {
    if (other.sha256 !== model.sha256) {
      throw new Error(
        `a report is of the pack ${other.sha256.slice(0, 16)}, expected ${model.sha256.slice(0, 16)}; evaluate again`,
      );
    }
  }
  const parts = [packTable(model)];
  if (reports.length > 0) {
    const rows = reports.flatMap((report) => rowsOf(report));
    parts.push(table(['images', 'number', 'figures'], rows));
    const { reliability = null } =
      reports.find(({ condition }) => condition === 'none')?.figures ?? {};
    if (reliability !== null) parts.push(reliabilityTable(reliability));
  }
  return parts.join('\n\n');
}

/** Replaces what stands between the markers; throws for a card without them. */
export function replaceMeasured(card: string, part: string, name: string): string {
  const [start, end] = [card.indexOf(START), card.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${name} has no ${START} followed by ${END}`);
  return `${card.slice(0, start)}${START}\n\n${part}\n\n${card.slice(end)}`;
}

function packTable(model: Model): string {
  const { graph, sizeBytes, sha256 } = model;
  const weights = [...model.weights.values()].reduce(
    (sum, { outChannels, kernel, inChannels }) => sum + outChannels * kernel ** 2 * inChannels,
    0,
  );
  const passes = graph.outputs.map((output, pass) => {
    const millions = (planGraph(model, output).multiplyAdds / 1e6).toFixed(1);
    return graph.outputs.length === 1 ? millions : `${millions} for pass ${pass + 1}`;
  });
  const [height, width, channels] = graph.input.shape;
  return table(
    ['pack', ''],
    [
      ['bytes', String(sizeBytes)],
      ['SHA-256 of the payload', `\`${sha256}\``],
      ['input', `${height} x ${width} x ${channels}`],
      ['weights', String(weights)],
      ['million multiply-adds', passes.join(', ')],
    ],
  );
}

function reliabilityTable({ calibrationError, ranges }: Reliability): string {
  const rows = ranges.map(({ landmarks, score, right }) => [
    score.toFixed(2),
    `${(100 * right).toFixed(1)} %`,
    String(landmarks),
  ]);
  return `Scores against what came out (right: within a tenth of the normalizer; poses: a fifth of the torso), ${calibrationError.toFixed(1)} points apart on average:\n\n${table(['mean score', 'right', 'landmarks'], rows)}`;
}

function rowsOf(report: Report): string[][] {
  const { condition, predictions, figures } = report;
  const shown = [
    ...errorTexts(predictions),
    ...(figures.disagreement === null
      ? []
      : [`${figures.disagreement.toFixed(2)} % from the landmarks of the image as it is`]),
    ...(figures.pck === null ? [] : [`PCK@0.2 ${figures.pck.toFixed(2)} %`]),
    ...(figures.recall === null ? [] : [`recall ${figures.recall.toFixed(2)} %`]),
    ...(figures.falseAlarms === null
      ? []
      : [`${figures.falseAlarms.toFixed(3)} false alarms per image`]),
    ...(figures.alarmsInFifty === null
      ? []
      : [`${figures.alarmsInFifty.toFixed(2)} in 50 images without a subject`]),
  ];
  const all = [CONDITION_NAMES[condition], String(predictions.length), shown.join(', ')];
  if (condition !== 'none') return [all];
  const groups = GROUPS.flatMap(([name, isIn]) => {
    const group = predictions.filter(isIn);
    return group.length === 0 ? [] : [[name, String(group.length), errorTexts(group).join(', ')]];
  });
  return [all, ...groups];
}

function errorTexts(predictions: readonly Prediction[]): string[] {
  const errors = predictions.flatMap(({ error }) => error ?? []);
  if (errors.length === 0) return [];
  const { nme, failureRate } = figuresOf(errors);
  return [`NME ${nme.toFixed(3)} %`, `failures at 8 % ${failureRate.toFixed(2)} %`];
}

function isYawWithin(yaw: number | undefined, least: number, below: number): boolean {
  return yaw !== undefined && isWithin(Math.abs(yaw), least, below);
}

function isWithin(value: number | undefined, least: number, below: number): boolean {
  return value !== undefined && value >= least && value < below;
}
