/**
 * A plan report as text and as a picture (SVG: a row for each buffer, a column for each step). Formatting only.
 */
import type { PlanReport, StepCost } from './plan_report';

const CELL = { width: 16, height: 22 } as const;
const MARGIN = { left: 110, top: 120, right: 20, bottom: 40 } as const;

/** A table with a line for each step and the totals below it. */
export function planTable(report: PlanReport): string {
  const header = [
    'step',
    'operation',
    'input',
    'output',
    'buffer',
    'live kB',
    'M mul-adds',
    'kernel',
  ];
  const rows = report.steps.map((step) => [
    step.name,
    step.operation,
    step.inputShape.join('x'),
    step.outputShape.join('x'),
    String(step.buffer),
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
  const share = report.bufferBytes / report.peakLiveBytes;
  return [
    `${report.steps.length} steps, ${(report.multiplyAdds / 1e6).toFixed(1)} M multiply-adds`,
    `feature buffers ${kilobytes(report.bufferBytes)} kB, ${share.toFixed(2)} times the ${kilobytes(report.peakLiveBytes)} kB ` +
      'that are needed at once',
  ];
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

/** Bars are tensors in their buffers from the step that makes them to the last that reads them; columns on top are multiply-adds. */
export function planSvg(report: PlanReport, title: string): string {
  const { steps, lives } = report;
  const buffers = Math.max(...lives.map(({ buffer }) => buffer)) + 1;
  const width = MARGIN.left + steps.length * CELL.width + MARGIN.right;
  const height = MARGIN.top + buffers * CELL.height + MARGIN.bottom;
  const most = Math.max(...steps.map(({ multiplyAdds }) => multiplyAdds));
  const x = (step: number): number => MARGIN.left + step * CELL.width;
  const y = (buffer: number): number => MARGIN.top + buffer * CELL.height;
  const columns = steps.map((step, index) => {
    const tall = (step.multiplyAdds / most) * (MARGIN.top - 50);
    return `<rect x="${x(index) + 2}" y="${(MARGIN.top - 8 - tall).toFixed(1)}" width="${CELL.width - 4}" height="${tall.toFixed(1)}" fill="#4878a8">${tip(describe(step))}</rect>`;
  });
  const bars = lives.map((life) => {
    const long = (life.lastStep - life.firstStep + 1) * CELL.width - 2;
    const text = `${life.name}: ${kilobytes(life.bytes)} kB, steps ${life.firstStep} to ${life.lastStep}`;
    return `<rect x="${x(life.firstStep) + 1}" y="${y(life.buffer) + 2}" width="${long}" height="${CELL.height - 4}" rx="3" fill="#8fbc8f" stroke="#446644">${tip(text)}</rect>`;
  });
  const labels = Array.from({ length: buffers }, (_, buffer) => {
    const bytes = Math.max(
      ...lives.filter((life) => life.buffer === buffer).map((life) => life.bytes),
    );
    return `<text x="${MARGIN.left - 8}" y="${y(buffer) + 15}" text-anchor="end">${buffer}: ${kilobytes(bytes)} kB</text>`;
  });
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
