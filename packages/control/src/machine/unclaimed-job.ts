/**
 * Reads jobs that nobody has claimed yet. Most of what a job can be is not yet so of them: a claim of many short jobs would spend most of
 * its time on columns that say nothing. Read as arrays, which SQLite's binding makes in a fraction of the time of objects.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytesOrNull, number, numberOrNull, text, textOrNull, type Row } from './column.ts';
import { jobRow, type JobContent, type JobRecord, type JobRow } from './job-row.ts';

/** The columns that can differ between jobs that were never claimed, and where each is in a row. */
const place = {
  number: '0',
  id: '1',
  attempt: '2',
  epoch: '3',
  durable: '4',
  run_at: '5',
  updated_at: '6',
  change: '7',
  parent: '8',
  parent_attempt: '9',
  detached: '10',
  inbox_last: '11',
  inbox_items: '12',
  priority: '13',
  rank: '14',
  timed: '15',
  deadline_at: '16',
  has_dependents: '17',
  reference: '18',
  workflow: '19',
  module: '20',
  entry: '21',
  input: '22',
  attempts_max: '23',
  backoff_initial_ms: '24',
  backoff_factor: '25',
  backoff_max_ms: '26',
  created_at: '27',
  content_hash: '28',
  response: '29',
  options: '30',
  trace: '31',
} as const;

/** The jobs of a lane that may be claimed; parameters: lane, how many. */
// `LIMIT ?` makes SQLite compile the statement again at each run, as its planner looks at the number; `+?` is none.
export const readySql: string = `
  SELECT ${Object.keys(place).join(', ')} FROM jobs JOIN content USING (number)
  WHERE ready = 1 AND lane = ? ORDER BY rank, number LIMIT +?`;

/** See the head of this file. */
export class ReadyJobs {
  readonly #ready: StatementSync;
  readonly #whole: StatementSync;

  constructor(db: DatabaseSync) {
    this.#ready = db.prepare(readySql);
    this.#ready.setReturnArrays(true);
    this.#whole = db.prepare('SELECT * FROM jobs JOIN content USING (number) WHERE number = ?');
  }

  /** The first ready jobs of a lane. */
  first(lane: number, count: number): readonly JobRow[] {
    return this.#ready.all(lane, count).map((row) => (isUnclaimed(row) ? unclaimed(row, lane) : this.#readWhole(row)));
  }

  #readWhole(row: Row): JobRow {
    const whole = this.#whole.get(number(row, place.number));
    return jobRow(whole ?? row);
  }
}

const isUnclaimed = (row: Row): boolean => number(row, place.epoch) === 0 && number(row, place.attempt) === 1;

const unclaimed = (row: Row, lane: number): JobRow => ({ ...record(row, lane), content: content(row) });

const record = (row: Row, lane: number): JobRecord => ({
  number: number(row, place.number),
  id: text(row, place.id),
  state: 'pending',
  durable: number(row, place.durable) === 1,
  attempt: 1,
  epoch: 0,
  lostLeases: 0,
  strikes: 0,
  claimedAt: 0,
  claimedEntries: 0,
  resumes: 0,
  runAt: number(row, place.run_at),
  worker: null,
  incarnation: null,
  bare: false,
  cancelReason: null,
  journalEntries: 0,
  journalBytes: 0,
  journalHash: null,
  progressPercent: null,
  progressText: null,
  result: null,
  errorCode: null,
  errorMessage: null,
  completedBy: null,
  finishedEpoch: null,
  finishedBy: null,
  outcomeHash: null,
  updatedAt: number(row, place.updated_at),
  change: number(row, place.change),
  parent: textOrNull(row, place.parent),
  parentAttempt: number(row, place.parent_attempt),
  isDetached: number(row, place.detached) === 1,
  hasChildren: false,
  inboxLast: number(row, place.inbox_last),
  inboxItems: number(row, place.inbox_items),
  lane,
  priority: number(row, place.priority),
  rank: number(row, place.rank),
  isReady: true,
  isTimed: number(row, place.timed) === 1,
  deadlineAt: numberOrNull(row, place.deadline_at),
  attemptAt: null,
  cancelAt: null,
  attemptsForgiven: 0,
  retriedAt: null,
  dependenciesLeft: 0,
  hasDependents: number(row, place.has_dependents) === 1,
});

const content = (row: Row): JobContent => ({
  reference: textOrNull(row, place.reference),
  workflow: textOrNull(row, place.workflow),
  module: textOrNull(row, place.module),
  entry: textOrNull(row, place.entry),
  input: textOrNull(row, place.input),
  attemptsMax: number(row, place.attempts_max),
  backoffInitialMs: number(row, place.backoff_initial_ms),
  backoffFactor: number(row, place.backoff_factor),
  backoffMaxMs: number(row, place.backoff_max_ms),
  createdAt: number(row, place.created_at),
  hash: bytesOrNull(row, place.content_hash) ?? new Uint8Array(),
  response: textOrNull(row, place.response),
  options: textOrNull(row, place.options),
  trace: textOrNull(row, place.trace),
});
