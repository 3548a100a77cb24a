/** The tables `jobs` and `content`: how a job is found, stored and changed. Owns the numbering of changes. */
import { mvmError } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { jobContent, jobRecord, jobRow, type JobContent, type JobRecord, type JobRow } from './job-row.ts';
import { numberOrNull } from './column.ts';
import type { Counters } from './counters.ts';
import { suspectStrikes } from './suspect.ts';
import { neverMs } from './transition.ts';

/** What a new job is made of. */
export interface NewJob {
  readonly id: string;
  readonly at: number;
  readonly content: JobContent & { readonly input: string };
  /** Who starts it. @default nobody: it is published */
  readonly parent?: JobParent | undefined;
}

/** The attempt that starts a job. */
export interface JobParent {
  readonly id: string;
  readonly attempt: number;
  readonly isDetached: boolean;
}

/** The columns of the join that {@link jobRow} reads. */
export const jobRowSql = 'SELECT * FROM jobs JOIN content USING (number)';

const insertJobSql = `
  INSERT INTO jobs (number, id, state, durable, attempt, epoch, lost_leases, strikes, claimed_at, claimed_entries,
    resumes, run_at, bare, journal_entries, journal_bytes, updated_at, change, parent, parent_attempt, detached)
  VALUES (?, ?, 'pending', ?, 1, 0, 0, 0, 0, 0, 0, ?, 0, 0, 0, ?, ?, ?, ?, ?)`;

const updateJobSql = `
  UPDATE jobs SET state = ?, attempt = ?, epoch = ?, lost_leases = ?, strikes = ?, claimed_at = ?,
    claimed_entries = ?, resumes = ?, run_at = ?, worker = ?,
    incarnation = ?, bare = ?, cancel_reason = ?, journal_entries = ?, journal_bytes = ?, journal_hash = ?,
    progress_percent = ?, progress_text = ?, result = ?, error_code = ?, error_message = ?, completed_by = ?,
    finished_epoch = ?, finished_by = ?, outcome_hash = ?, updated_at = ?, change = ?, has_children = ?,
    inbox_last = ?, inbox_items = ?
  WHERE number = ?`;

/** The jobs that may be claimed; parameters: durable, until when, how many. */
// `LIMIT +?` makes SQLite compile the statement again at each run, as its planner looks at the number; `+?` is none.
export const readySql: string = `
  SELECT * FROM jobs JOIN content USING (number)
  WHERE state IN ('pending', 'waiting') AND strikes < ${suspectStrikes} AND durable = ? AND run_at <= ?
  ORDER BY run_at, number LIMIT +?`;

const suspectSql = `
  SELECT * FROM jobs JOIN content USING (number)
  WHERE state = 'pending' AND strikes >= ${suspectStrikes} AND durable = ? AND run_at <= ?
  ORDER BY run_at, number LIMIT 1`;

const holdsSuspectSql = `
  SELECT 1 FROM jobs
  WHERE state IN ('claimed', 'in_progress') AND strikes >= ${suspectStrikes} AND worker = ? AND claimed_at > ? LIMIT 1`;

// Two queries, as each has an index of its own.
const nextRunAtSql = `
  SELECT min(run_at) AS run_at FROM (
    SELECT min(run_at) AS run_at FROM jobs
      WHERE state IN ('pending', 'waiting') AND strikes < ${suspectStrikes} AND durable = 1 AND run_at > ?1
    UNION ALL
    SELECT min(run_at) FROM jobs
      WHERE state = 'pending' AND strikes >= ${suspectStrikes} AND durable = 1 AND run_at > ?1)`;

/** See the head of this file. */
export class JobTable {
  readonly #counters: Counters;
  readonly #find: StatementSync;
  readonly #findContent: StatementSync;
  readonly #insertJob: StatementSync;
  readonly #insertContent: StatementSync;
  readonly #update: StatementSync;
  readonly #ready: StatementSync;
  readonly #suspect: StatementSync;
  readonly #holdsSuspect: StatementSync;
  readonly #nextRunAt: StatementSync;
  readonly #heldBy: StatementSync;
  readonly #unfinishedChildren: StatementSync;
  readonly #respond: StatementSync;
  readonly #keepInboxItems: StatementSync;
  readonly #repin: StatementSync;
  readonly #changedAfter: StatementSync;

  constructor(db: DatabaseSync, counters: Counters) {
    this.#counters = counters;
    this.#find = db.prepare('SELECT * FROM jobs WHERE id = ?');
    this.#findContent = db.prepare('SELECT * FROM content WHERE number = ?');
    this.#insertJob = db.prepare(insertJobSql);
    this.#insertContent = db.prepare('INSERT INTO content VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)');
    this.#update = db.prepare(updateJobSql);
    this.#ready = db.prepare(readySql);
    this.#suspect = db.prepare(suspectSql);
    this.#holdsSuspect = db.prepare(holdsSuspectSql);
    this.#nextRunAt = db.prepare(nextRunAtSql);
    this.#unfinishedChildren = db.prepare(
      `SELECT * FROM jobs WHERE parent = ? AND parent_attempt = ? AND detached = 0
        AND state IN ('pending', 'claimed', 'in_progress', 'waiting') ORDER BY number`,
    );
    this.#respond = db.prepare('UPDATE content SET response = ? WHERE number = ? AND response IS NULL');
    this.#changedAfter = db.prepare('SELECT * FROM jobs WHERE change > ? ORDER BY change LIMIT +?');
    this.#repin = db.prepare('UPDATE content SET module = ?, workflow = ? WHERE number = ?');
    this.#keepInboxItems = db.prepare('UPDATE jobs SET inbox_items = ? WHERE number = ?');
    this.#heldBy = db.prepare(
      "SELECT * FROM jobs WHERE state IN ('claimed', 'in_progress') AND worker = ? ORDER BY number",
    );
  }

  find(id: string): JobRecord | undefined {
    const row = this.#find.get(id);
    return row === undefined ? undefined : jobRecord(row);
  }

  /** @throws JOB_NOT_FOUND */
  get(id: string): JobRecord {
    const job = this.find(id);
    if (job === undefined) throw mvmError('JOB_NOT_FOUND', `no job has the id "${id}"`, { job_id: id });
    return job;
  }

  content(job: JobRecord): JobContent {
    const row = this.#findContent.get(job.number);
    if (row === undefined) throw mvmError('INTERNAL', `the database is damaged: job "${job.id}" has no content`);
    return jobContent(row);
  }

  insert(job: NewJob): void {
    const order = this.#counters.next('job');
    const { content: c, parent } = job;
    this.#insertJob.run(
      order,
      job.id,
      c.workflow === null ? 0 : 1,
      job.at,
      job.at,
      this.#counters.next('change'),
      parent?.id ?? null,
      parent?.attempt ?? 0,
      parent?.isDetached === true ? 1 : 0,
    );
    this.#insertContent.run(
      order,
      c.reference,
      c.workflow,
      c.module,
      c.entry,
      c.input,
      c.attemptsMax,
      c.backoffInitialMs,
      c.backoffFactor,
      c.backoffMaxMs,
      c.createdAt,
      c.hash,
    );
    this.#counters.move(null, 'pending');
  }

  /** Stores `next` in the place of `before`, under a new change number. */
  save(before: JobRecord, next: JobRecord, at: number): JobRecord {
    const saved = { ...next, updatedAt: at, change: this.#counters.next('change') };
    this.#update.run(
      saved.state,
      saved.attempt,
      saved.epoch,
      saved.lostLeases,
      saved.strikes,
      saved.claimedAt,
      saved.claimedEntries,
      saved.resumes,
      saved.runAt,
      saved.worker,
      saved.incarnation,
      saved.bare ? 1 : 0,
      saved.cancelReason,
      saved.journalEntries,
      saved.journalBytes,
      saved.journalHash,
      saved.progressPercent,
      saved.progressText,
      saved.result,
      saved.errorCode,
      saved.errorMessage,
      saved.completedBy,
      saved.finishedEpoch,
      saved.finishedBy,
      saved.outcomeHash,
      saved.updatedAt,
      saved.change,
      saved.hasChildren ? 1 : 0,
      saved.inboxLast,
      saved.inboxItems,
      saved.number,
    );
    this.#counters.move(before.state, saved.state);
    return saved;
  }

  /** Pending jobs, and waiting ones, that may run at `at`: earliest `run_at` first, then publish order. */
  ready(durable: boolean, at: number, count: number): readonly JobRow[] {
    return this.#ready.all(durable ? 1 : 0, at, count).map(jobRow);
  }

  /** The first pending suspect that may run at `at`; `ready` has none of them. */
  suspect(durable: boolean, at: number): JobRow | undefined {
    const row = this.#suspect.get(durable ? 1 : 0, at);
    return row === undefined ? undefined : jobRow(row);
  }

  /** The jobs that `worker` holds. */
  heldBy(worker: string): readonly JobRecord[] {
    return this.#heldBy.all(worker).map(jobRecord);
  }

  /** Whether `worker` holds a suspect that it claimed after `since`. */
  holdsSuspect(worker: string, since: number): boolean {
    return this.#holdsSuspect.get(worker, since) !== undefined;
  }

  /** When the next pending workflow job after `at` may run. */
  nextRunAt(at: number): number | null {
    const row = this.#nextRunAt.get(at);
    const runAt = row === undefined ? null : numberOrNull(row, 'run_at');
    return runAt === neverMs ? null : runAt;
  }

  /** The children of an attempt that are not over and end with it. */
  unfinishedChildren(parent: string, attempt: number): readonly JobRecord[] {
    return this.#unfinishedChildren.all(parent, attempt).map(jobRecord);
  }

  /** Keeps a job's early response. @returns whether it is the first one */
  respond(job: number, value: string): boolean {
    return Number(this.#respond.run(value, job).changes) > 0;
  }

  /** The jobs that changed after `change`, in the order of their changes. */
  changedAfter(change: number, count: number): readonly JobRecord[] {
    return this.#changedAfter.all(change, count).map(jobRecord);
  }

  /** Pins a job to another module; the caller saves the job. */
  repin(job: number, { module, workflow }: { readonly module: string; readonly workflow: string }): void {
    this.#repin.run(module, workflow, job);
  }

  /** Corrects how many items wait in an inbox from which some were taken; nothing that is shown changes. */
  keepInboxItems(job: number, items: number): void {
    this.#keepInboxItems.run(items, job);
  }
}
