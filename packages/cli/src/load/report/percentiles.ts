import type { Percentiles } from './load-report.ts';

/** Percentiles by the nearest-rank method: the smallest sample that at least so many of the samples don't exceed; all 0 without samples. */
export const percentilesOf = (samples: readonly number[]): Percentiles => {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
};
