/** What the store knows of why a job does not run. */
import { defaultQueue, optionsOf, queueSettingsSchema, type JobState, type QueueSettings } from '@mvm-ci/protocol';
import type { StatementSync } from 'node:sqlite';
import { controlLimits } from '../limits.ts';
import { number, text, type Row } from '../machine/column.ts';
import { jobRecord, jobRow, type JobRow } from '../machine/job-row.ts';
import type { RateLog } from '../machine/rate-log.ts';

/** A job, named. */
interface NamedJob {
  readonly job_id: string;
  readonly status: JobState;
}

/** A job that a worker holds. */
interface HeldJob {
  readonly job_id: string;
  readonly worker: string;
}

/** How many jobs of a queue, or of a key of it, are held; which, as far as there is room; and how often some were claimed lately. */
export interface LimitUse {
  readonly running: number;
  readonly held: readonly HeldJob[];
  readonly log: RateLog;
}

/** See the head of this file. */
export interface WhyFacts {
  readonly row: JobRow;
  readonly queue: string;
  readonly key: string | null;
  /** Jobs that it waits for and that are not over. */
  readonly awaited: readonly NamedJob[];
  /** Jobs that it started and that are not over. */
  readonly children: readonly NamedJob[];
  readonly settings: QueueSettings;
  readonly queueUse: LimitUse;
  /** Null for a job without a key. */
  readonly keyUse: LimitUse | null;
  /** Ready jobs of its flow that come before it; counted up to a limit. */
  readonly ahead: number;
  /** Flows that have ready jobs, beside its own. */
  readonly otherFlows: number;
}

type Prepared = (sql: string) => StatementSync;

/** The facts of a job; null when there is none. `prepared` gives the statement of a text. */
export const readWhyFacts = (prepared: Prepared, id: string): WhyFacts | null => {
  const found = prepared('SELECT * FROM jobs JOIN content USING (number) WHERE id = ?').get(id);
  if (found === undefined) return null;
  const row = jobRow(found);
  const { queue = defaultQueue, key = null } = optionsOf(row.content.options);
  return {
    row,
    queue,
    key,
    awaited: named(prepared(awaitedSql).all(row.number, controlLimits.whyJobsMax)),
    children: named(prepared(childrenSql).all(row.id, row.attempt, controlLimits.whyJobsMax)),
    settings: settingsOf(prepared, queue),
    queueUse: limitUse(prepared, queue, null),
    keyUse: key === null ? null : limitUse(prepared, queue, key),
    ahead: countOf(prepared(aheadSql).get(row.lane, row.rank, row.rank, row.number, controlLimits.aheadCounted)),
    otherFlows: countOf(prepared(otherFlowsSql).get(row.lane)),
  };
};

const awaitedSql = `
  SELECT jobs.* FROM dependencies JOIN jobs ON jobs.number = dependencies.awaited
  WHERE dependencies.job = ? AND state NOT IN ('completed', 'failed', 'cancelled') ORDER BY jobs.number LIMIT +?`;

const childrenSql = `
  SELECT * FROM jobs
  WHERE parent = ? AND parent_attempt = ? AND state NOT IN ('completed', 'failed', 'cancelled') ORDER BY number LIMIT +?`;

const aheadSql = `
  SELECT count(*) AS count FROM (
    SELECT 1 FROM jobs WHERE ready = 1 AND lane = ? AND (rank < ? OR (rank = ? AND number < ?)) LIMIT +?)`;

const otherFlowsSql = `
  SELECT count(DISTINCT flow) AS count FROM lanes
  WHERE id IN (SELECT DISTINCT lane FROM jobs WHERE ready = 1) AND flow <> (SELECT flow FROM lanes WHERE id = ?)`;

const heldSql = `
  SELECT jobs.id AS id, coalesce(worker, '') AS worker
  FROM jobs JOIN lanes ON lanes.id = lane JOIN flows ON flows.id = flow
  WHERE state IN ('claimed', 'in_progress') AND queue = ?1 AND (?2 IS NULL OR key = ?2) ORDER BY jobs.number`;

const named = (rows: readonly Row[]): readonly NamedJob[] =>
  rows.map(jobRecord).map(({ id, state }) => ({ job_id: id, status: state }));

const settingsOf = (prepared: Prepared, queue: string): QueueSettings => {
  const row = prepared('SELECT settings FROM queues WHERE name = ?').get(queue);
  return row === undefined ? {} : queueSettingsSchema.parse(JSON.parse(text(row, 'settings')));
};

const limitUse = (prepared: Prepared, queue: string, key: string | null): LimitUse => {
  const held = prepared(heldSql).all(queue, key);
  const log = prepared('SELECT slot, count FROM rates WHERE queue = ? AND key = ? ORDER BY slot').all(queue, key ?? '');
  return {
    running: held.length,
    held: held
      .slice(0, controlLimits.whyJobsMax)
      .map((row) => ({ job_id: text(row, 'id'), worker: text(row, 'worker') })),
    log: log.map((row) => [number(row, 'slot'), number(row, 'count')]),
  };
};

const countOf = (row: Row | undefined): number => (row === undefined ? 0 : number(row, 'count'));
