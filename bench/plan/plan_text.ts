/**
 * A plan report as text and as a picture (SVG: the arena from top to bottom, a column for each step). Formatting only.
 */
import type { PlanReport, StepCost } from './plan_report';

const CELL_WIDTH = 16;
const ARENA_HEIGHT = 360;
const MARGIN = { left: 110, top: 120, right: 20, bottom: 40 } as const;

/** A table with a line for each step and the totals below it. */
export function planTable(report: PlanReport): string {
  const header = [
    'step',
    'operation',
    'input',
    'output',
    'at kB',
    'live kB',
    'M mul-adds',
    'kernel',
  ];
  const rows = report.steps.map((step) => [
    step.name,
    step.operation,
    step.inputShape.join('x'),
    step.outputShape.join('x'),
    kilobytes(step.offsetBytes),
    kilobytes(step.liveBytes),
    (step.multiplyAdds / 1e6).toFixed(2),
    step.kernel,
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line), '', ...totals(report)].join('\n');
}

function isNumber(column: number): boolean {
  return column >= 4 && column <= 6;
}

function totals(report: PlanReport): string[] {
  const share = report.peakActivationBytes / report.peakLiveBytes;
  return [
    `${report.steps.length} steps, ${(report.multiplyAdds / 1e6).toFixed(1)} M multiply-adds`,
    `peak activation bytes ${report.peakActivationBytes}, ${share.toFixed(3)} times the ${report.peakLiveBytes} that are ` +
      'needed at once',
  ];
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

/**
 * Boxes are tensors: as high as they are large, where they lie in the arena, from the step that makes them to the last that reads
 * them. Columns on top are multiply-adds.
 */
export function planSvg(report: PlanReport, title: string): string {
  const { steps, lives } = report;
  const width = MARGIN.left + steps.length * CELL_WIDTH + MARGIN.right;
  const height = MARGIN.top + ARENA_HEIGHT + MARGIN.bottom;
  const most = Math.max(...steps.map(({ multiplyAdds }) => multiplyAdds));
  const x = (step: number): number => MARGIN.left + step * CELL_WIDTH;
  const tall = (bytes: number): number => (bytes / report.peakActivationBytes) * ARENA_HEIGHT;
  const y = (bytes: number): number => MARGIN.top + tall(bytes);
  const columns = steps.map((step, index) => {
    const column = (step.multiplyAdds / most) * (MARGIN.top - 50);
    return `<rect x="${x(index) + 2}" y="${(MARGIN.top - 8 - column).toFixed(1)}" width="${CELL_WIDTH - 4}" height="${column.toFixed(1)}" fill="#4878a8">${tip(describe(step))}</rect>`;
  });
  const bars = lives.map((life) => {
    const long = (life.lastStep - life.firstStep + 1) * CELL_WIDTH - 2;
    const text = `${life.name}: ${kilobytes(life.bytes)} kB, steps ${life.firstStep} to ${life.lastStep}`;
    return `<rect x="${x(life.firstStep) + 1}" y="${y(life.offsetBytes).toFixed(1)}" width="${long}" height="${tall(life.bytes).toFixed(1)}" fill="#8fbc8f" stroke="#446644">${tip(text)}</rect>`;
  });
  const labels = [0, report.peakActivationBytes].map(
    (bytes) =>
      `<text x="${MARGIN.left - 8}" y="${(y(bytes) + 4).toFixed(1)}" text-anchor="end">${kilobytes(bytes)} kB</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${MARGIN.left}" y="20" font-size="15">${escape(title)}</text>`,
    `<text x="${MARGIN.left - 8}" y="${MARGIN.top - 10}" text-anchor="end">multiply-adds</text>`,
    ...columns,
    ...labels,
    ...bars,
    `<text x="${MARGIN.left}" y="${height - 14}">${totals(report).map(escape).join('; ')}</text>`,
    '</svg>\n',
  ].join('\n');
}

function describe(step: StepCost): string {
  return `${step.name}: ${step.operation}, ${step.inputShape.join('x')} to ${step.outputShape.join('x')}, ${(step.multiplyAdds / 1e6).toFixed(2)} M, ${step.kernel}`;
}

function tip(text: string): string {
  return `<title>${escape(text)}</title>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
