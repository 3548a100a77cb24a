/** The tables `jobs` and `content`: how a job is found, stored and changed. Owns the numbering of changes. */
import { mvmError } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { jobContent, jobRecord, jobRow, type JobContent, type JobRecord, type JobRow } from './job-row.ts';
import { number, numberOrNull, textOrNull } from './column.ts';
import type { Counters } from './counters.ts';
import { HeldRecords } from './held-records.ts';
import { JobUpdates } from './job-updates.ts';
import type { LaneTable } from './lane-table.ts';
import { suspectStrikes } from './suspect.ts';
import { isHeld, neverMs, rankOf } from './transition.ts';
import { ReadyJobs } from './unclaimed-job.ts';

/** What a new job is made of. */
export interface NewJob {
  readonly id: string;
  readonly at: number;
  readonly content: JobContent & { readonly input: string };
  /** When it may run; never: when the jobs are over that it waits for. */
  readonly runAt: number;
  readonly lane: number;
  readonly priority: number;
  readonly isTimed: boolean;
  readonly deadlineAt: number | null;
  readonly dependenciesLeft: number;
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
    resumes, run_at, bare, journal_entries, journal_bytes, updated_at, change, parent, parent_attempt, detached,
    lane, priority, rank, ready, timed, deadline_at, dependencies_left)
  VALUES (?, ?, 'pending', ?, 1, 0, 0, 0, 0, 0, 0, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Where rows belong to a job, and by which column. */
const belongings = [
  ['journal', 'job'],
  ['snapshots', 'job'],
  ['moves', 'job'],
  ['inbox', 'job'],
  ['messages', 'job'],
  ['repins', 'job'],
  ['labels', 'job'],
  ['uniques', 'job'],
  ['dependencies', 'job'],
  ['dependencies', 'awaited'],
  ['blob_refs', 'job'],
  ['content', 'number'],
  ['jobs', 'number'],
] as const;

/** The jobs whose time has come and that are not ready yet; parameters: until when, how many. */
// `+?`: see `readySql`.
const dueSql = `
  SELECT * FROM jobs INDEXED BY jobs_due
  WHERE ready = 0 AND state IN ('pending', 'waiting') AND strikes < ${suspectStrikes} AND run_at <= ?
  ORDER BY run_at LIMIT +?`;

const isSuspectSql = `state = 'pending' AND strikes >= ${suspectStrikes} AND durable = ? AND run_at <= ?`;

const suspectLanesSql = `
  SELECT DISTINCT lane FROM (
    SELECT lane FROM jobs INDEXED BY jobs_suspect WHERE ${isSuspectSql} ORDER BY run_at, number LIMIT +?)
  ORDER BY lane`;

const firstSuspectSql = `
  SELECT * FROM jobs INDEXED BY jobs_suspect JOIN content USING (number)
  WHERE ${isSuspectSql} AND lane IN (SELECT value FROM json_each(?)) ORDER BY run_at, number LIMIT 1`;

const holdsSuspectSql = `
  SELECT 1 FROM jobs
  WHERE state IN ('claimed', 'in_progress') AND strikes >= ${suspectStrikes} AND worker = ? AND claimed_at > ? LIMIT 1`;

// Two queries, as each has an index of its own.
const nextRunAtSql = `
  SELECT min(run_at) AS run_at FROM (
    SELECT min(run_at) AS run_at FROM jobs INDEXED BY jobs_due
      WHERE ready = 0 AND state IN ('pending', 'waiting') AND strikes < ${suspectStrikes} AND run_at > ?1
    UNION ALL
    SELECT min(run_at) FROM jobs INDEXED BY jobs_suspect
      WHERE state = 'pending' AND strikes >= ${suspectStrikes} AND durable = 1 AND run_at > ?1)`;

/** See the head of this file. */
export class JobTable {
  readonly #counters: Counters;
  readonly #lanes: LaneTable;
  readonly #find: StatementSync;
  readonly #findByNumber: StatementSync;
  readonly #findContent: StatementSync;
  readonly #findTrace: StatementSync;
  readonly #insertJob: StatementSync;
  readonly #insertContent: StatementSync;
  readonly #updates: JobUpdates;
  readonly #forget: readonly StatementSync[];
  readonly #ready: ReadyJobs;
  readonly #held: HeldRecords = new HeldRecords();
  readonly #due: StatementSync;
  readonly #promote: StatementSync;
  readonly #suspectLanes: StatementSync;
  readonly #firstSuspect: StatementSync;
  readonly #nextDeadline: StatementSync;
  readonly #overdue: StatementSync;
  readonly #awaited: StatementSync;
  readonly #holdsSuspect: StatementSync;
  readonly #nextRunAt: StatementSync;
  readonly #heldBy: StatementSync;
  readonly #unfinishedChildren: StatementSync;
  readonly #respond: StatementSync;
  readonly #keepInboxItems: StatementSync;
  readonly #repin: StatementSync;
  readonly #changedAfter: StatementSync;

  constructor(db: DatabaseSync, counters: Counters, lanes: LaneTable) {
    this.#counters = counters;
    this.#lanes = lanes;
    this.#find = db.prepare('SELECT * FROM jobs WHERE id = ?');
    this.#findByNumber = db.prepare('SELECT * FROM jobs WHERE number = ?');
    this.#findContent = db.prepare('SELECT * FROM content WHERE number = ?');
    this.#findTrace = db.prepare('SELECT trace FROM content WHERE number = ?');
    this.#insertJob = db.prepare(insertJobSql);
    this.#insertContent = db.prepare('INSERT INTO content VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)');
    this.#updates = new JobUpdates(db);
    this.#forget = belongings.map(([table, column]) => db.prepare(`DELETE FROM ${table} WHERE ${column} = ?`));
    this.#ready = new ReadyJobs(db);
    this.#due = db.prepare(dueSql);
    this.#promote = db.prepare('UPDATE jobs SET ready = 1 WHERE number = ?');
    this.#suspectLanes = db.prepare(suspectLanesSql);
    this.#firstSuspect = db.prepare(firstSuspectSql);
    this.#nextDeadline = db.prepare('SELECT min(deadline_at) AS at FROM jobs WHERE deadline_at IS NOT NULL');
    this.#overdue = db.prepare('SELECT * FROM jobs WHERE deadline_at <= ? ORDER BY deadline_at, number LIMIT +?');
    this.#awaited = db.prepare('UPDATE jobs SET has_dependents = 1 WHERE number = ?');
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
    const held = this.#held.find(id);
    if (held !== undefined) return held;
    const row = this.#find.get(id);
    return row === undefined ? undefined : jobRecord(row);
  }

  findByNumber(job: number): JobRecord | undefined {
    const row = this.#findByNumber.get(job);
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

  /** The trace that a job was published in, null without one. */
  trace(job: number): string | null {
    const row = this.#findTrace.get(job);
    return row === undefined ? null : textOrNull(row, 'trace');
  }

  /** @returns its number */
  insert(job: NewJob): number {
    const order = this.#counters.next('job');
    const { content: c, parent } = job;
    const isReady = job.runAt <= job.at;
    this.#insertJob.run(
      order,
      job.id,
      c.workflow === null ? 0 : 1,
      job.runAt,
      job.at,
      this.#counters.next('change'),
      parent?.id ?? null,
      parent?.attempt ?? 0,
      parent?.isDetached === true ? 1 : 0,
      job.lane,
      job.priority,
      rankOf(job.runAt, job.priority),
      isReady ? 1 : 0,
      job.isTimed ? 1 : 0,
      job.deadlineAt,
      job.dependenciesLeft,
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
      c.options,
      c.trace,
    );
    this.#counters.move(null, 'pending');
    this.#lanes.move(job.lane, { ready: isReady ? 1 : 0, running: 0 });
    return order;
  }

  /** Stores `next` in the place of `before`, under a new change number. */
  save(before: JobRecord, next: JobRecord, at: number): JobRecord {
    const saved = { ...next, isReady: isReady(next, at), updatedAt: at, change: this.#counters.next('change') };
    this.#updates.write(before, saved);
    this.#held.saved(saved);
    this.#counters.move(before.state, saved.state);
    this.#moveLane(before, saved);
    return saved;
  }

  /** Saves in as few statements as possible what `run` saves; it must read no job that it saves. */
  saveTogether<T>(run: () => T): T {
    return this.#updates.together(run);
  }

  /** Removes a job that is over, and all that belongs to it. */
  forget(job: JobRecord): void {
    for (const statement of this.#forget) statement.run(job.number);
    this.#held.drop(job);
    this.#counters.forget(job.state);
  }

  #moveLane(before: JobRecord, saved: JobRecord): void {
    const running = Number(isHeld(saved)) - Number(isHeld(before));
    if (before.lane === saved.lane)
      return this.#lanes.move(saved.lane, { ready: Number(saved.isReady) - Number(before.isReady), running });
    // A job that was over goes to the lane that its name has now.
    this.#lanes.move(saved.lane, { ready: Number(saved.isReady), running });
  }

  /** The first ready jobs of a lane. */
  ready(lane: number, count: number): readonly JobRow[] {
    return this.#ready.first(lane, count);
  }

  /** Makes jobs ready whose time has come, the earliest first. @returns how many */
  promote(at: number, count: number): number {
    const due = this.#due.all(at, count).map(jobRecord);
    for (const job of due) {
      this.#promote.run(job.number);
      this.#lanes.move(job.lane, { ready: 1, running: 0 });
    }
    return due.length;
  }

  /** The lanes of the first pending suspects that may run at `at`; `ready` has none of them. */
  suspectLanes(durable: boolean, at: number, count: number): readonly number[] {
    return this.#suspectLanes.all(durable ? 1 : 0, at, count).map((row) => number(row, 'lane'));
  }

  /** The first of those in these lanes. */
  firstSuspect(durable: boolean, at: number, lanes: readonly number[]): JobRow | undefined {
    const row = this.#firstSuspect.get(durable ? 1 : 0, at, JSON.stringify(lanes));
    return row === undefined ? undefined : jobRow(row);
  }

  /** When the next deadline is; null: there is none. */
  nextDeadline(): number | null {
    const row = this.#nextDeadline.get();
    return row === undefined ? null : numberOrNull(row, 'at');
  }

  /** Jobs whose deadline has passed, the earliest first. */
  overdue(at: number, count: number): readonly JobRecord[] {
    return this.#overdue.all(at, count).map(jobRecord);
  }

  /** Notes that another job waits for the end of this one. */
  noteDependent(job: JobRecord): void {
    this.#awaited.run(job.number);
    this.#held.drop(job);
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
  keepInboxItems(job: JobRecord, items: number): void {
    this.#keepInboxItems.run(items, job.number);
    this.#held.drop(job);
  }

  /** What was saved since the last commit is not so: a command was undone, or a transaction failed. */
  undo(): void {
    this.#held.clear();
  }
}

const isReady = (job: JobRecord, at: number): boolean =>
  (job.state === 'pending' || job.state === 'waiting') && job.strikes < suspectStrikes && job.runAt <= at;
