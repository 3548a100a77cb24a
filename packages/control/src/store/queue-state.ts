import { defaultQueue, queueSettingsSchema, type QueueSettings } from '@mvm-ci/protocol';
import type { StatementSync } from 'node:sqlite';
import { number, text } from '../machine/column.ts';

/** A queue as it is stored, with its jobs counted. */
export interface QueueState {
  readonly queue: string;
  readonly settings: QueueSettings;
  readonly ready: number;
  readonly running: number;
  /** Keys with a ready job. */
  readonly readyKeys: number;
  /** Since when the one may run that could the longest, of those that are next in their lanes, Unix ms; null: none is ready. */
  readonly readySince: number | null;
}

const readySql = `
  SELECT queue, sum(jobs) AS jobs, count(DISTINCT flow) AS keys
  FROM (SELECT lane, count(*) AS jobs FROM jobs WHERE ready = 1 GROUP BY lane) AS counted
  JOIN lanes ON lanes.id = lane JOIN flows ON flows.id = flow GROUP BY queue`;

// The next of each lane, by the index: to look at all of them would take long when there are many.
const readySinceSql = `
  SELECT queue, min(run_at) AS since
  FROM lanes JOIN flows ON flows.id = flow JOIN jobs ON jobs.number =
    (SELECT number FROM jobs WHERE ready = 1 AND lane = lanes.id ORDER BY rank, number LIMIT 1)
  GROUP BY queue`;

const runningSql = `
  SELECT queue, sum(jobs) AS jobs
  FROM (SELECT lane, count(*) AS jobs FROM jobs WHERE state IN ('claimed', 'in_progress') GROUP BY lane) AS counted
  JOIN lanes ON lanes.id = lane JOIN flows ON flows.id = flow GROUP BY queue`;

/** All queues of which anything is known, and the default one, by name. `prepared` gives the statement of a text. */
export const readQueues = (prepared: (sql: string) => StatementSync): readonly QueueState[] => {
  const settings = new Map(
    prepared('SELECT name, settings FROM queues')
      .all()
      .map((row) => [text(row, 'name'), queueSettingsSchema.parse(JSON.parse(text(row, 'settings')))]),
  );
  const ready = new Map(
    prepared(readySql)
      .all()
      .map((row) => [text(row, 'queue'), { jobs: number(row, 'jobs'), keys: number(row, 'keys') }]),
  );
  const running = new Map(
    prepared(runningSql)
      .all()
      .map((row) => [text(row, 'queue'), number(row, 'jobs')]),
  );
  const since = new Map(
    prepared(readySinceSql)
      .all()
      .map((row) => [text(row, 'queue'), number(row, 'since')]),
  );
  const names = new Set([defaultQueue, ...settings.keys(), ...ready.keys(), ...running.keys()]);
  return [...names].sort().map((queue) => ({
    queue,
    settings: settings.get(queue) ?? {},
    ready: ready.get(queue)?.jobs ?? 0,
    running: running.get(queue) ?? 0,
    readyKeys: ready.get(queue)?.keys ?? 0,
    readySince: since.get(queue) ?? null,
  }));
};
