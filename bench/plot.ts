/**
 * A benchmark report as a drawing: a bar for each row, milliseconds of a frame at p50 on a logarithmic axis, a line on to p95, and
 * how many times as long as the row that others are compared with. Fast rows first, those that do the same work together.
 */
import { gpuText, type BenchReport, type RowReport, type Times } from './report';

const WIDTH = 980;
const LEFT = 330;
const RIGHT = 80;
const TOP = 76;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 14;
const HEAD_HEIGHT = 40;
/** Between bar and number. */
const GAP = 7;

const INK = '#20262c';
const QUIET = '#5b6570';
const GRID = '#e3e6ea';
const COLORS = { ours: '#2456a6', sameGraph: '#a9b4c0', package: '#d0a35c' } as const;
const LEGEND = [
  ['ours', 'Bitmarks'],
  ['sameGraph', 'the same network on other engines'],
  ['package', 'other packages and networks'],
] as const;

type Shown = RowReport & { readonly frame: Times };

/** Whether the row runs our graph in a given region; else it is a package that finds its subject. */
function isGraph(row: RowReport): boolean {
  return row.gigaMultiplyAdds !== null;
}

function kindOf(row: RowReport): keyof typeof COLORS {
  if (row.label.startsWith('Bitmarks')) return 'ours';
  return isGraph(row) ? 'sameGraph' : 'package';
}

/** SVG text. Rows without frames are left out. */
export function plot({ rows, ratios, date, machine }: BenchReport): string {
  const shown = rows.flatMap((row): Shown[] =>
    row.frame === null ? [] : [{ ...row, frame: row.frame }],
  );
  const groups = ['face', 'pose'].flatMap((task) =>
    [true, false].map((graphs) => ({
      title: `${task === 'face' ? 'Faces' : 'People'}: ${graphs ? 'the shipped network, region given' : 'packages, one subject followed'}`,
      rows: shown
        .filter((row) => row.row.startsWith(`${task}/`) && isGraph(row) === graphs)
        .sort((a, b) => a.frame.p50Ms - b.frame.p50Ms),
    })),
  );
  const filled = groups.filter(({ rows: members }) => members.length > 0);
  const bottom = TOP + HEAD_HEIGHT * filled.length + ROW_HEIGHT * shown.length + 8;

  const all = shown.flatMap(({ frame }) => [frame.p50Ms, frame.p95Ms]);
  const low = 10 ** Math.floor(Math.log10(Math.min(...all, 10)));
  const high = Math.max(...all, 10 * low);
  const x = (ms: number): number =>
    Math.round(LEFT + ((WIDTH - LEFT - RIGHT - 60) * Math.log(ms / low)) / Math.log(high / low));
  const ticks: string[] = [];
  for (let ms = low; ms <= high; ms *= 10) {
    ticks.push(
      `<line x1="${x(ms)}" x2="${x(ms)}" y1="${TOP}" y2="${bottom}" stroke="${GRID}"/>`,
      text(x(ms), bottom + 18, `${ms.toLocaleString('en')} ms`, QUIET, 'middle'),
    );
  }

  let y = TOP;
  const parts = filled.flatMap(({ title, rows: members }) => {
    const head = text(12, y + 26, title, INK, 'start', 'bold');
    const unit = text(WIDTH - 12, y + 26, 'times as long', QUIET, 'end');
    y += HEAD_HEIGHT;
    const bars = members.map((row) => {
      const bar = barOf(row, y);
      y += ROW_HEIGHT;
      return bar;
    });
    return [head, unit, ...bars];
  });

  let legendX = 12;
  const legend = LEGEND.map(([kind, label]) => {
    const key =
      `<rect x="${legendX}" y="55" width="12" height="12" rx="2" fill="${COLORS[kind]}"/>` +
      text(legendX + 18, 65.5, label, INK);
    legendX += 40 + 7 * label.length;
    return key;
  });

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" width="${WIDTH}" height="${bottom + 30}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="12" y="24" font-size="16" font-weight="bold" fill="${INK}">From a frame to its landmarks: median, and a line to p95 (logarithmic)</text>`,
    text(12, 43, `${date}: ${machine.cpu}, ${machine.browser}; ${gpuText(machine)}`, QUIET),
    ...[...legend, ...ticks, ...parts, '</svg>'],
    '',
  ].join('\n');

  function barOf(row: Shown, top: number): string {
    const { label, frame } = row;
    const line = top + BAR_HEIGHT - 2;
    const [end, far] = [Math.max(LEFT + 1, x(frame.p50Ms)), Math.max(LEFT + 1, x(frame.p95Ms))];
    const middle = top + BAR_HEIGHT / 2;
    const isBase = ratios.some(({ base }) => base === row.row);
    const ratio = ratios.find((other) => other.row === row.row && other.workload === 'frame');
    return (
      text(LEFT - 10, line, label, INK, 'end') +
      `<rect x="${LEFT}" y="${top}" width="${end - LEFT}" height="${BAR_HEIGHT}" rx="2" fill="${COLORS[kindOf(row)]}"/>` +
      `<path d="M${end} ${middle}H${far}M${far} ${top + 2}V${top + BAR_HEIGHT - 2}" stroke="${INK}" stroke-width="1.5"/>` +
      text(far + GAP, line, short(frame.p50Ms), INK) +
      text(
        WIDTH - 12,
        line,
        ratio === undefined ? (isBase ? '1' : '') : short(ratio.p50),
        QUIET,
        'end',
      )
    );
  }
}

function text(
  x: number,
  y: number,
  content: string,
  fill: string,
  anchor = 'start',
  weight = 'normal',
): string {
  return `<text x="${x}" y="${y}" fill="${fill}" text-anchor="${anchor}" font-weight="${weight}">${escape(content)}</text>`;
}

/** Two digits, all before the point. */
function short(value: number): string {
  return (value < 100 ? Number(value.toPrecision(2)) : Math.round(value)).toLocaleString('en');
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
