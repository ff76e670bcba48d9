/**
 * A benchmark report as a drawing: a bar for each row, milliseconds of a frame at p50 on a logarithmic axis, p95 as a mark.
 */
import type { BenchReport } from './report';

const WIDTH = 900;
const LABEL_WIDTH = 380;
const ROW_HEIGHT = 22;
const TOP = 48;
const OURS = '#2456a6';
const OTHERS = '#9aa3ad';

/** SVG text. Rows without frames are left out. */
export function plot({ rows, date, machine }: BenchReport): string {
  const shown = rows.flatMap((row) => (row.frame === null ? [] : [{ ...row, frame: row.frame }]));
  const all = shown.flatMap(({ frame }) => [frame.p50Ms, frame.p95Ms]);
  const low = 10 ** Math.floor(Math.log10(Math.min(...all, 10)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...all, 10 * low)));
  const x = (ms: number): number =>
    Math.round(
      LABEL_WIDTH + ((WIDTH - LABEL_WIDTH - 70) * Math.log(ms / low)) / Math.log(high / low),
    );
  const height = TOP + ROW_HEIGHT * shown.length + 30;
  const ticks: string[] = [];
  for (let ms = low; ms <= high; ms *= 10) {
    ticks.push(
      `<line x1="${x(ms)}" x2="${x(ms)}" y1="${TOP - 6}" y2="${height - 24}" stroke="#d5d9de"/>` +
        `<text x="${x(ms)}" y="${height - 8}" text-anchor="middle">${ms} ms</text>`,
    );
  }
  const bars = shown.map((row, i) => barOf(row, TOP + ROW_HEIGHT * i));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="10" y="20" font-size="14">From frame to landmarks, p50 (mark: p95), logarithmic</text>`,
    `<text x="10" y="36" fill="#5b6570">${escape(`${date}: ${machine.cpu}, ${machine.browser}, one thread`)}</text>`,
    ...[...ticks, ...bars, '</svg>'],
    '',
  ].join('\n');

  function barOf({ row, label, frame }: (typeof shown)[number], y: number): string {
    const color = label.startsWith('Bitmarks') ? OURS : OTHERS;
    const middle = y + ROW_HEIGHT / 2 + 2;
    return (
      `<text x="10" y="${middle}">${escape(`${row.split('/')[0] ?? ''}: ${label}`)}</text>` +
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${Math.max(1, x(frame.p50Ms) - LABEL_WIDTH)}" height="${ROW_HEIGHT - 8}" fill="${color}"/>` +
      `<line x1="${x(frame.p95Ms)}" x2="${x(frame.p95Ms)}" y1="${y - 2}" y2="${y + ROW_HEIGHT - 6}" stroke="#20262c" stroke-width="2"/>` +
      `<text x="${x(frame.p95Ms) + 6}" y="${middle}">${frame.p50Ms}</text>`
    );
  }
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
