/** What happened in each second, from counts. */
import type { StatsSample } from './stats-history.ts';

/** Columns as the chart takes them: times, and for each how many jobs were published, completed and failed in a second. */
export const rates = (samples: readonly StatsSample[]): [number[], number[], number[], number[]] => {
  const columns: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const [index, { at, stats }] of samples.entries()) {
    const before = samples[index - 1];
    if (before === undefined || at <= before.at) continue;
    // Counts shrink when old jobs are forgotten: that is nothing that happened.
    const rate = (name: 'total' | 'completed' | 'failed'): number =>
      Math.max(0, stats[name] - before.stats[name]) / (at - before.at);
    columns[0].push(at);
    columns[1].push(rate('total'));
    columns[2].push(rate('completed'));
    columns[3].push(rate('failed'));
  }
  return columns;
};
