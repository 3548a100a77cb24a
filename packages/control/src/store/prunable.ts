import type { JobState } from '@mvm-ci/protocol';
import type { StatementSync } from 'node:sqlite';
import { number, text } from '../machine/column.ts';

/** How long jobs are kept that are over in a state; null: whatever that is. */
export interface KeepRule {
  readonly state: Extract<JobState, 'completed' | 'failed' | 'cancelled'>;
  /** Those that were over before this time go, Unix ms. */
  readonly before: number | null;
  /** Of more than so many the oldest go. */
  readonly count: number | null;
}

/** The jobs of a state that are over, the oldest first; parameters: state, how many. */
// The states stand there as in the index, which SQLite uses only then.
export const oldestSql: string = `
  SELECT id, updated_at FROM jobs INDEXED BY jobs_over
  WHERE (state = 'completed' OR state = 'failed' OR state = 'cancelled') AND state = ? ORDER BY updated_at, number LIMIT +?`;

/** Ids of up to `limit` jobs that the rules don't keep, the oldest of each state first. */
export const readPrunable = (
  prepared: (sql: string) => StatementSync,
  rules: readonly KeepRule[],
  limit: number,
): readonly string[] => {
  const ids: string[] = [];
  for (const { state, before, count } of rules) {
    const row = prepared('SELECT value FROM counters WHERE name = ?').get(state);
    const beyond = count === null || row === undefined ? 0 : Math.max(0, number(row, 'value') - count);
    const oldest = prepared(oldestSql).all(state, limit - ids.length);
    for (const [place, job] of oldest.entries())
      if (place < beyond || (before !== null && number(job, 'updated_at') < before)) ids.push(text(job, 'id'));
  }
  return ids;
};
