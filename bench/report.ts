/** What a bench found, as one line of JSON that runs are compared by, or as a table for people. */
import { availableParallelism } from 'node:os';

/** One measured number. The name ends in its unit: `_per_s`, `_ms`. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** One sentence: what was measured. */
  readonly what: string;
  /** The bound that the figure is held against; none for times. */
  readonly bound?: string;
}

/** All that a bench found. */
export interface Report {
  readonly bench: string;
  readonly metrics: readonly Figure[];
  /** What the machine, or a part of the system alone, can do; measured in the same run. */
  readonly bounds: readonly Figure[];
  /** Acknowledged jobs that are not completed in the end. */
  readonly lost: number;
  /** Completions of a job beyond its first. */
  readonly duplicated: number;
  /** Why the run counts as failed, apart from these two. */
  readonly objection?: string | undefined;
}

/** What holds for all our benches: nothing is acknowledged before it is synced. */
const syncPolicy = 'full';

/** The report as one line of JSON (design section 11). */
export const reportLine = (report: Report): string =>
  JSON.stringify({
    bench: report.bench,
    metrics: byName(report.metrics),
    bounds: byName(report.bounds),
    lost: report.lost,
    duplicated: report.duplicated,
    sync: syncPolicy,
    node: process.versions.node,
    cores: availableParallelism(),
  });

/** The report as a table with ratios to the bounds and a sentence on each number. */
export const reportTable = (report: Report): string => {
  const { bench, metrics, bounds, lost, duplicated } = report;
  const rows = [...metrics, ...bounds].map(
    (figure) => [figure.name, shown(figure.value), ratio(figure, bounds)] as const,
  );
  const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length));
  const line = (figure: Figure): string =>
    [
      figure.name.padEnd(width(0)),
      shown(figure.value).padStart(width(1)),
      ratio(figure, bounds).padEnd(width(2)),
      figure.what,
    ].join('  ');
  return [
    `${bench}: every acknowledgement synced (synchronous=FULL) · Node ${process.versions.node} · ${availableParallelism()} cores`,
    '',
    ...metrics.map(line),
    '',
    'bounds, measured in the same run',
    ...bounds.map(line),
    '',
    `lost ${lost} · duplicated ${duplicated}`,
  ].join('\n');
};

const ratio = (figure: Figure, bounds: readonly Figure[]): string => {
  const bound = bounds.find(({ name }) => name === figure.bound);
  return bound === undefined ? '' : `${(figure.value / bound.value).toPrecision(2)} × ${bound.name}`;
};

const byName = (figures: readonly Figure[]): Record<string, number> =>
  Object.fromEntries(figures.map(({ name, value }) => [name, rounded(value)]));

const rounded = (value: number): number => Number(value.toPrecision(4));

const shown = (value: number): string => rounded(value).toLocaleString('en-US');
