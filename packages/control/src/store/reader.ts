/** Answers queries from a connection of its own, which sees only what is committed. */
import { isFinal, jobStates, type InboxItem } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { controlLimits } from '../limits.ts';
import { bytes, number, text, textOrNull } from '../machine/column.ts';
import { storedCounters } from '../machine/counters.ts';
import { inboxItem, inboxSql } from '../machine/inbox-table.ts';
import { jobRecord, jobRow, type JobRecord, type JobRow } from '../machine/job-row.ts';
import { jobRowSql } from '../machine/job-table.ts';
import { deployedModule, deployedModuleSql } from '../machine/module-table.ts';
import { nodeRecord } from '../machine/node-table.ts';
import { repinnedModuleSql } from '../machine/repin-table.ts';
import { ticketRecord } from '../machine/ticket-table.ts';
import { readPart, type AttemptPlace } from './journal-part.ts';
import type { Answer, Query, StoredJournal, StoredLease } from './query.ts';

const liveStates = jobStates.filter((state) => !isFinal(state));

const listed = (column: string): string =>
  `CASE WHEN octet_length(${column}) <= ${controlLimits.listedTextBytesMax} THEN ${column} END AS ${column}`;

const listSql = `
  SELECT number, id, state, durable, attempt, epoch, lost_leases, strikes, claimed_at, claimed_entries, resumes, run_at, worker, incarnation, bare,
    cancel_reason, journal_entries, journal_bytes, journal_hash, progress_percent, progress_text, ${listed('result')},
    error_code, error_message, completed_by, finished_epoch, finished_by, outcome_hash, updated_at, change, parent, parent_attempt, detached,
    has_children, inbox_last, inbox_items, ${listed('response')}, reference, workflow, module, entry, ${listed('input')}, attempts_max, backoff_initial_ms, backoff_factor,
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
        return { type: 'journal', journal: this.#journal(query) };
      case 'inbox':
        return { type: 'inbox', items: this.#inbox(query) };
      case 'children':
        return { type: 'children', rows: this.#children(query) };
      case 'modules':
        return {
          type: 'modules',
          modules: this.#prepared(`${deployedModuleSql} ORDER BY d.number DESC`).all().map(deployedModule),
        };
      case 'module':
        return { type: 'module', module: this.#module(query.hash) };
      case 'module-file':
        return { type: 'module-file', file: this.#file(query.hash) };
      case 'nodes':
        return { type: 'nodes', nodes: this.#prepared('SELECT * FROM nodes ORDER BY joined_at').all().map(nodeRecord) };
      case 'tickets':
        return {
          type: 'tickets',
          tickets: this.#prepared('SELECT * FROM tickets ORDER BY created_at DESC, id').all().map(ticketRecord),
        };
      case 'leases':
        return { type: 'leases', leases: this.#leases() };
    }
  }

  #job(id: string): JobRow | null {
    const row = this.#prepared(`${jobRowSql} WHERE id = ?`).get(id);
    return row === undefined ? null : jobRow(row);
  }

  // Why `+?`: see `job-table.ts`.
  #jobs(query: Extract<Query, { type: 'jobs' }>): readonly JobRow[] {
    const before = query.before ?? Number.MAX_SAFE_INTEGER;
    if (query.state === 'live' || query.module !== undefined) return this.#filtered(query, before);
    const rows =
      query.state === null
        ? this.#prepared(`${listSql} WHERE number < ? ORDER BY number DESC LIMIT +?`).all(before, query.limit)
        : this.#prepared(`${listSql} WHERE state = ? AND number < ? ORDER BY number DESC LIMIT +?`).all(
            query.state,
            before,
            query.limit,
          );
    return rows.map(jobRow);
  }

  // By publish order, whatever there is in between: `+` keeps SQLite from sorting all jobs of a state for each page.
  #filtered({ state, module, limit }: Extract<Query, { type: 'jobs' }>, before: number): readonly JobRow[] {
    const states = state === 'live' ? liveStates : state === null ? jobStates : [state];
    const wanted = `+state IN (${states.map((one) => `'${one}'`).join(', ')})`;
    const prefix = module === undefined ? '' : `${module}@`;
    const sql = `${listSql} WHERE ${wanted} AND substr(coalesce(workflow, ''), 1, ?) = ? AND number < ? ORDER BY number DESC LIMIT +?`;
    return this.#prepared(sql).all(prefix.length, prefix, before, limit).map(jobRow);
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
    return this.#prepared(`SELECT * FROM jobs WHERE state IN ('claimed', 'in_progress')`)
      .all()
      .map(jobRecord)
      .map(storedLease);
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const storedLease = (job: JobRecord): StoredLease => ({
  job: job.id,
  epoch: job.epoch,
  attempt: job.attempt,
  worker: job.worker ?? '',
  incarnation: job.incarnation ?? '',
  bare: job.bare,
  cancelReason: job.cancelReason,
});
