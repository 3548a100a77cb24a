/**
 * The smallest sample that at least `share` of the samples don't exceed (the nearest-rank method).
 *
 * @param share 0–1
 * @throws {RangeError} without samples
 */
export const percentile = (samples: readonly number[], share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (found === undefined) throw new RangeError('no samples, no percentile');
  return found;
};
