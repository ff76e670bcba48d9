/** Which images are shown as failures, and what is drawn on them. Numbers and SVG only; reads no files. */
import type { Prediction } from '../bench/evaluate/evaluate';
import type { Label } from '../bench/evaluate/metrics';

/** The `count` predictions with the largest errors, worst first; those without an error are in none. */
export function worstOf(predictions: readonly Prediction[], count: number): Prediction[] {
  return predictions
    .filter(({ error }) => error !== undefined)
    .sort((a, b) => (b.error ?? 0) - (a.error ?? 0))
    .slice(0, count);
}

/**
 * Found landmarks with their connections in green, a red line from each to where it should be.
 * Points in image pixels, drawn times `scale` on a square of `side` pixels.
 */
export function failureOverlay(
  truth: readonly Label[],
  found: readonly (readonly [number, number])[],
  connections: readonly (readonly [number, number])[],
  scale: number,
  side: number,
): string {
  const line = (
    [x1, y1]: readonly [number, number],
    [x2, y2]: readonly [number, number],
    style: string,
  ): string =>
    `<line x1="${(x1 * scale).toFixed(1)}" y1="${(y1 * scale).toFixed(1)}" x2="${(x2 * scale).toFixed(1)}" y2="${(y2 * scale).toFixed(1)}" ${style}/>`;
  const bones = connections.flatMap(([a, b]) => {
    const [from, to] = [found[a], found[b]];
    return from && to ? [line(from, to, 'stroke="#2f2" stroke-width="1.2"')] : [];
  });
  const errors = found.flatMap((point, index) => {
    const label = truth[index] ?? null;
    return label === null
      ? []
      : [line(point, [label.x, label.y], 'stroke="#f33" stroke-width="1"')];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}">${[...bones, ...errors].join('')}</svg>`;
}
