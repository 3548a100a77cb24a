/**
 * Where a curve of throughput over workers stops to pay: its knee, by the method Kneedle (V. Satopaa, J. Albrecht, D. Irwin, B. Raghavan:
 * Finding a "Kneedle" in a Haystack, ICDCS Workshops 2011), offline, with sensitivity 1, for a concave rising curve.
 *
 * 1. Before, each throughput is replaced by the best one of at most so many workers: a fall behind the peak is part of the plateau.
 * 2. Both axes are scaled to 0…1. The knee is the first local maximum of y − x behind which that difference falls by more than the mean
 *    step of x. No smoothing: points are few, and each is a measurement of many jobs.
 * 3. A curve that never rises by more than a tenth over its first point is saturated there: scaling such a curve would only enlarge its noise.
 */

/** A measured point. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
}

/** What was found. */
export type Knee =
  | { readonly kind: 'knee'; readonly point: CurvePoint }
  /** No more than noise is gained over the first point. */
  | { readonly kind: 'flat'; readonly point: CurvePoint }
  /** It still rises at the end. */
  | { readonly kind: 'rising' }
  | { readonly kind: 'too-few' };

const sensitivity = 1;
const pointsMin = 3;
const flatGainMax = 0.1;
// What is one number for a reader, and differs by how it was computed.
const rounding = 1e-9;

/** The knee of a curve whose points stand in the order of `x`, each once. */
export const findKnee = (points: readonly CurvePoint[]): Knee => {
  const curve = withoutFalls(points);
  const [first, last] = [curve[0], curve.at(-1)];
  if (first === undefined || last === undefined || curve.length < pointsMin) return { kind: 'too-few' };
  if (last.y <= first.y * (1 + flatGainMax)) return { kind: 'flat', point: first };
  const differences = curve.map(({ x, y }) => (y - first.y) / (last.y - first.y) - (x - first.x) / (last.x - first.x));
  const index = kneeIndex(differences);
  const point = index === undefined ? undefined : points[index];
  return point === undefined ? { kind: 'rising' } : { kind: 'knee', point };
};

const withoutFalls = (points: readonly CurvePoint[]): readonly CurvePoint[] => {
  let best = -Infinity;
  return points.map(({ x, y }) => {
    best = Math.max(best, y);
    return { x, y: best };
  });
};

const kneeIndex = (differences: readonly number[]): number | undefined => {
  const meanStep = 1 / (differences.length - 1);
  let candidate: number | undefined;
  let threshold = 0;
  for (const [index, difference] of differences.entries()) {
    if (isLocalMaximum(differences, index)) {
      candidate = index;
      threshold = difference - sensitivity * meanStep;
    } else if (candidate !== undefined && difference < threshold - rounding) return candidate;
  }
  return undefined;
};

const isLocalMaximum = (differences: readonly number[], index: number): boolean => {
  const [before, at, behind] = [differences[index - 1], differences[index], differences[index + 1]];
  if (before === undefined || at === undefined || behind === undefined) return false;
  return at > rounding && at > before + rounding && at >= behind - rounding;
};
