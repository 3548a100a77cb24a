/** Answers queries from a connection of its own, which sees only what is committed. */
import type { InboxItem, StoredSnapshot } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { controlLimits } from '../limits.ts';
import { bytes, number, text, textOrNull, type Row } from '../machine/column.ts';
import { readBlobBytes } from '../machine/blob-table.ts';
import { storedCounters } from '../machine/counters.ts';
import { inboxItem, inboxSql } from '../machine/inbox-table.ts';
import { jobRecord, jobRow, type JobRecord, type JobRow } from '../machine/job-row.ts';
import { jobRowSql } from '../machine/job-table.ts';
import { deployedModule, deployedModuleSql } from '../machine/module-table.ts';
import { nodeRecord } from '../machine/node-table.ts';
import { repinnedModuleSql } from '../machine/repin-table.ts';
import { scheduleRecord } from '../machine/schedule-table.ts';
import { snapshotSql, storedSnapshot } from '../machine/snapshot-table.ts';
import { webhookRecord } from '../machine/webhook-table.ts';
import { ticketRecord } from '../machine/ticket-table.ts';
import { searchSql } from './job-search.ts';
import { readPart, type AttemptPlace } from './journal-part.ts';
import { readPrunable } from './prunable.ts';
import { readQueues } from './queue-state.ts';
import { readWhyFacts } from './why-facts.ts';
import type { Answer, ClusterQuery, Query, StoredJournal, StoredLease } from './query.ts';

const listed = (column: string): string =>
  `CASE WHEN octet_length(${column}) <= ${controlLimits.listedTextBytesMax} THEN ${column} END AS ${column}`;

const listSql = `
  SELECT number, id, state, durable, attempt, epoch, lost_leases, strikes, claimed_at, claimed_entries, resumes, run_at, worker, incarnation, bare,
    cancel_reason, journal_entries, journal_bytes, journal_hash, progress_percent, progress_text, ${listed('result')},
    error_code, error_message, completed_by, finished_epoch, finished_by, outcome_hash, updated_at, change, parent, parent_attempt, detached,
    has_children, inbox_last, inbox_items, lane, priority, rank, ready, timed, deadline_at, attempt_at, cancel_at, attempts_forgiven,
    retried_at, dependencies_left, has_dependents, options, trace, ${listed('response')}, reference, workflow, module, entry, ${listed('input')}, attempts_max, backoff_initial_ms, backoff_factor,
    backoff_max_ms, created_at, content_hash
  FROM jobs JOIN content USING (number)`;

/** See the head of this file. */
export class Reader {
  readonly #db: DatabaseSync;
  readonly #statements: Map<string, StatementSync> = new Map();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  answer(query: Query): Answer {
    switch (query.type) {
      case 'job':
        return { type: 'job', row: this.#job(query.id) };
      case 'jobs':
        return { type: 'jobs', rows: this.#jobs(query) };
      case 'changes':
        return { type: 'changes', rows: this.#changes(query) };
      case 'counters':
        return { type: 'counters', counters: storedCounters(this.#db) };
      case 'journal':
        return { type: 'journal', journal: this.#atOnce(() => this.#journal(query)) };
      case 'snapshot':
        return { type: 'snapshot', snapshot: this.#snapshot(query) };
      case 'inbox':
        return { type: 'inbox', items: this.#inbox(query) };
      case 'children':
        return { type: 'children', rows: this.#children(query) };
      case 'prunable':
        return { type: 'prunable', ids: readPrunable((sql) => this.#prepared(sql), query.rules, query.limit) };
      case 'why':
        return { type: 'why', facts: readWhyFacts((sql) => this.#prepared(sql), query.id) };
      default:
        return this.#answerAboutCluster(query);
    }
  }

  #answerAboutCluster(query: ClusterQuery): Answer {
    switch (query.type) {
      case 'queues':
        return { type: 'queues', queues: readQueues((sql) => this.#prepared(sql)) };
      case 'webhooks':
        return { type: 'webhooks', webhooks: this.#all('SELECT * FROM webhooks ORDER BY name').map(webhookRecord) };
      case 'schedules':
        return { type: 'schedules', schedules: this.#all('SELECT * FROM schedules ORDER BY name').map(scheduleRecord) };
      case 'modules':
        return {
          type: 'modules',
          modules: this.#all(`${deployedModuleSql} ORDER BY d.number DESC`).map(deployedModule),
        };
      case 'module':
        return { type: 'module', module: this.#module(query.hash) };
      case 'blob':
        return { type: 'blob', bytes: readBlobBytes((sql) => this.#prepared(sql), query.hash) };
      case 'module-file':
        return { type: 'module-file', file: this.#file(query.hash) };
      case 'nodes':
        return { type: 'nodes', nodes: this.#all('SELECT * FROM nodes ORDER BY joined_at').map(nodeRecord) };
      case 'tickets':
        return {
          type: 'tickets',
          tickets: this.#all('SELECT * FROM tickets ORDER BY created_at DESC, id').map(ticketRecord),
        };
      case 'leases':
        return { type: 'leases', leases: this.#leases() };
    }
  }

  /** Reads as of one moment: between two statements the job may go on, and its count would not be that of its batches. */
  #atOnce<T>(read: () => T): T {
    this.#db.exec('SAVEPOINT reading');
    try {
      return read();
    } finally {
      this.#db.exec('RELEASE reading');
    }
  }

  #all(sql: string): readonly Row[] {
    return this.#prepared(sql).all();
  }

  #job(id: string): JobRow | null {
    const row = this.#prepared(`${jobRowSql} WHERE id = ?`).get(id);
    return row === undefined ? null : jobRow(row);
  }

  // Why `+?`: see `job-table.ts`.
  #jobs({ filter, before, above, limit }: Extract<Query, { type: 'jobs' }>): readonly JobRow[] {
    const { where, parameters } = searchSql(filter, before ?? Number.MAX_SAFE_INTEGER);
    const order = above === undefined ? 'ORDER BY number DESC' : 'AND number > ? ORDER BY number';
    const from = above === undefined ? [] : [above];
    return this.#prepared(`${listSql} WHERE ${where} ${order} LIMIT +?`)
      .all(...parameters, ...from, limit)
      .map(jobRow);
  }

  #changes(query: Extract<Query, { type: 'changes' }>): readonly JobRow[] {
    return this.#prepared(`${listSql} WHERE change > ? ORDER BY change LIMIT +?`)
      .all(query.after, query.limit)
      .map(jobRow);
  }

  #journal(query: Extract<Query, { type: 'journal' }>): StoredJournal | null {
    const row = this.#prepared('SELECT * FROM jobs WHERE id = ?').get(query.id);
    if (row === undefined) return null;
    const job = jobRecord(row);
    const attempt = query.attempt ?? job.attempt;
    const isCurrent = attempt === job.attempt;
    const place = { id: job.id, job: job.number, attempt };
    const part = readPart((sql) => this.#prepared(sql), place, query.part);
    const module = isCurrent ? this.#moduleOf(job.number) : this.#repinnedModule(place);
    return { attempt, module, entries: isCurrent ? job.journalEntries : null, ...part };
  }

  #repinnedModule({ job, attempt }: AttemptPlace): string | null {
    const row = this.#prepared(repinnedModuleSql).get(job, attempt);
    return row === undefined ? null : text(row, 'module');
  }

  #moduleOf(job: number): string | null {
    const row = this.#prepared('SELECT module FROM content WHERE number = ?').get(job);
    return row === undefined ? null : textOrNull(row, 'module');
  }

  #inbox({ id, after, limit }: Extract<Query, { type: 'inbox' }>): readonly InboxItem[] {
    const job = this.#prepared('SELECT number FROM jobs WHERE id = ?').get(id);
    if (job === undefined) return [];
    return this.#prepared(inboxSql).all(number(job, 'number'), after, limit).map(inboxItem);
  }

  #snapshot({ id, attempt }: Extract<Query, { type: 'snapshot' }>): StoredSnapshot | null {
    const row = this.#prepared(snapshotSql).get(id, attempt);
    return row === undefined ? null : storedSnapshot(row);
  }

  #children({ parent, limit }: Extract<Query, { type: 'children' }>): readonly JobRow[] {
    return this.#prepared(`${listSql} WHERE parent = ? ORDER BY number LIMIT +?`).all(parent, limit).map(jobRow);
  }

  #module(hash: string): (Answer & { type: 'module' })['module'] {
    const row = this.#prepared(`${deployedModuleSql} WHERE d.hash = ? ORDER BY d.number DESC LIMIT 1`).get(hash);
    return row === undefined ? null : deployedModule(row);
  }

  #file(hash: string): Uint8Array | null {
    const row = this.#prepared('SELECT file FROM modules WHERE hash = ?').get(hash);
    return row === undefined ? null : bytes(row, 'file');
  }

  #leases(): readonly StoredLease[] {
    return this.#all(leasesSql).map((row) => storedLease(jobRecord(row), number(row, 'moved') === 1));
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const leasesSql = `
  SELECT *, number IN (SELECT job FROM moves) AS moved FROM jobs WHERE state IN ('claimed', 'in_progress')`;

const storedLease = (job: JobRecord, isMoved: boolean): StoredLease => ({
  isMoved,
  job: job.id,
  epoch: job.epoch,
  attempt: job.attempt,
  worker: job.worker ?? '',
  incarnation: job.incarnation ?? '',
  bare: job.bare,
  cancelReason: job.cancelReason,
});
