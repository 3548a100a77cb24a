/**
 * Examines a database: whether SQLite finds it whole, whether its tables agree with each other, and whether inputs, results and
 * journals are what was stored (their hashes). Reads only; what it can't find is in `docs/internals/durability.md`. A page that SQLite can't
 * read is a finding, and what is on other pages is examined all the same.
 */
import { bytesEqual, hasHead, isFinal, isSnapshotOf, jobStates, moduleHash, type JournalBatch } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytes, number, text, type Row } from '../machine/column.ts';
import { storedCounters } from '../machine/counters.ts';
import { jobRow, type JobRow } from '../machine/job-row.ts';
import { jobRowSql } from '../machine/job-table.ts';
import { isRowIntact } from '../queue/content-hash.ts';
import { journalEntries } from '../queue/journal-view.ts';
import { isResultIntact } from '../queue/outcome-hash.ts';
import { Reader } from './reader.ts';

/** Something that is not as it should be. */
export interface Finding {
  /** Id of the job that it is about; null: the database as a whole. */
  readonly job: string | null;
  readonly text: string;
}

/** What an examination gives. */
export interface Examination {
  readonly jobs: number;
  /** Journals that were read, one for each attempt. */
  readonly journals: number;
  readonly entries: number;
  readonly findings: readonly Finding[];
}

/** Examines all of it; `onJob` is called after each job, with how many there were. @throws when it is no database of ours */
export const examine = (db: DatabaseSync, onJob: (done: number) => void = () => undefined): Examination => {
  const findings: Finding[] = [];
  for (const [what, look] of looks) findings.push(...readWhatCan(what, () => look(db)));
  const reader = new Reader(db);
  const seen = { jobs: 0, journals: 0, entries: 0 };
  const whole = db.prepare(`${jobRowSql} WHERE number = ?`);
  const lookAtJobs = (): readonly Finding[] => {
    for (const row of db.prepare('SELECT number, id FROM jobs ORDER BY number').iterate()) {
      const job = readable(row, whole);
      if (job === undefined) continue;
      seen.jobs += 1;
      onJob(seen.jobs);
      if ('text' in job) findings.push(job);
      else findings.push(...ofJob(job), ...ofJournals(reader, job, seen));
    }
    return [];
  };
  findings.push(...readWhatCan('all jobs', lookAtJobs));
  return { ...seen, findings };
};

/** What a look finds; or that it could not be done, as a page is damaged. */
const readWhatCan = (what: string, look: () => readonly Finding[]): readonly Finding[] => {
  try {
    return look();
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [{ job: null, text: `${what} could not be looked at: ${reason(error)}` }];
  }
};

/** Whether an error says that a page or a row is damaged: SQLITE_CORRUPT, in the lowest byte (https://sqlite.org/rescode.html); or an error of our own, about what a row holds. */
export const isDamage = (error: unknown): boolean =>
  !(error instanceof Error && 'errcode' in error) || (Number(error.errcode) & 0xff) === 11;

const ofJournals = (reader: Reader, job: JobRow, seen: { journals: number; entries: number }): readonly Finding[] => {
  const findings: Finding[] = [];
  for (let attempt = 1; attempt <= job.attempt; attempt += 1) {
    const read = journalOf(reader, job, attempt);
    if (typeof read === 'string') findings.push({ job: job.id, text: read });
    else if (read > 0) {
      seen.journals += 1;
      seen.entries += read;
    }
  }
  return findings;
};

/** The job of a number, or that its row is none: on a damaged page, a state or a type of column that never was. Undefined: it has no content. */
const readable = ({ number: place, id }: Row, whole: StatementSync): JobRow | Finding | undefined => {
  try {
    const row = whole.get(place ?? null);
    return row === undefined ? undefined : jobRow(row);
  } catch (error) {
    return { job: typeof id === 'string' ? id : null, text: `its row can't be read: ${reason(error)}` };
  }
};

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const integrity = (db: DatabaseSync): readonly Finding[] =>
  db
    .prepare('PRAGMA integrity_check(20)')
    .all()
    .map((row) => text(row, 'integrity_check'))
    .filter((line) => line !== 'ok')
    .map((line) => ({ job: null, text: `SQLite: ${line}` }));

const counts = (db: DatabaseSync): readonly Finding[] => {
  const counters = storedCounters(db);
  const found = new Map(
    db
      .prepare('SELECT state, count(*) AS jobs FROM jobs GROUP BY state')
      .all()
      .map((row) => [text(row, 'state'), number(row, 'jobs')]),
  );
  return jobStates.flatMap((state) => {
    const jobs = found.get(state) ?? 0;
    return jobs === counters[state]
      ? []
      : [{ job: null, text: `${jobs} jobs are ${state}, and the counter says ${counters[state]}` }];
  });
};

/** Rows of one table that another one should have, and has not. */
const orphanQueries = [
  ['SELECT id FROM jobs WHERE number NOT IN (SELECT number FROM content)', 'has no content'],
  [
    `SELECT id FROM jobs WHERE state IN ('pending', 'claimed', 'in_progress', 'waiting') AND lane NOT IN (SELECT id FROM lanes)`,
    'stands in a lane that is not there',
  ],
  [
    `SELECT id FROM jobs WHERE ready = 1 AND NOT (state IN ('pending', 'waiting') AND strikes < 2)`,
    'is marked ready, and is not',
  ],
  [
    'SELECT id FROM jobs WHERE inbox_items <> (SELECT count(*) FROM inbox WHERE inbox.job = jobs.number)',
    'has another number of items in its inbox than its row says',
  ],
  [
    `SELECT id FROM jobs WHERE state IN ('claimed', 'in_progress') AND (worker IS NULL OR epoch = 0)`,
    'is held, and by nobody',
  ],
  [
    `SELECT id FROM jobs JOIN content USING (number) WHERE module <> '' AND module NOT IN (SELECT hash FROM modules)`,
    'runs a module that is not there',
  ],
  [
    'SELECT id FROM jobs WHERE attempt < (SELECT max(attempt) FROM journal WHERE job = number)',
    'has a journal of an attempt that never was',
  ],
  [
    'SELECT id FROM jobs WHERE number IN (SELECT job FROM blob_refs WHERE hash NOT IN (SELECT hash FROM blobs))',
    'refers to a blob that is not kept',
  ],
] as const;

const orphans = (db: DatabaseSync, sql: string, what: string): readonly Finding[] =>
  db
    .prepare(sql)
    .all()
    .map((row) => ({ job: text(row, 'id'), text: `it ${what}` }));

/** Tables whose rows belong to a job, and the column that says to which. */
const belongings = [
  ['content', 'number'],
  ['journal', 'job'],
  ['snapshots', 'job'],
  ['moves', 'job'],
  ['inbox', 'job'],
  ['messages', 'job'],
  ['labels', 'job'],
  ['blob_refs', 'job'],
] as const;

const strays = (db: DatabaseSync, table: string, column: string): readonly Finding[] => {
  const sql = `SELECT count(*) AS rows FROM ${table} WHERE ${column} NOT IN (SELECT number FROM jobs)`;
  const row = db.prepare(sql).get();
  const rows = row === undefined ? 0 : number(row, 'rows');
  return rows === 0 ? [] : [{ job: null, text: `${rows} rows of the table "${table}" belong to no job` }];
};

const modules = (db: DatabaseSync): readonly Finding[] => {
  const findings: Finding[] = [];
  for (const row of db.prepare('SELECT hash, file FROM modules').iterate()) {
    const hash = text(row, 'hash');
    if (moduleHash(bytes(row, 'file')) === hash) continue;
    findings.push({ job: null, text: `the module ${hash} does not match its hash` });
  }
  const lost = db.prepare('SELECT name, version FROM deployments WHERE hash NOT IN (SELECT hash FROM modules)').all();
  const names = lost.map((row) => `${text(row, 'name')}@${text(row, 'version')}`);
  return [...findings, ...names.map((name) => ({ job: null, text: `the module of ${name} is not there` }))];
};

/** What is looked at before the jobs, each by itself. */
const looks: readonly (readonly [what: string, look: (db: DatabaseSync) => readonly Finding[]])[] = [
  ["the file's pages", integrity],
  ['the counters', counts],
  ...orphanQueries.map(
    ([sql, what]) => [`whether a job ${what}`, (db: DatabaseSync) => orphans(db, sql, what)] as const,
  ),
  ...belongings.map(
    ([table, column]) => [`the table "${table}"`, (db: DatabaseSync) => strays(db, table, column)] as const,
  ),
  ['the modules', modules],
];

const ofJob = (job: JobRow): readonly Finding[] => [
  ...(isRowIntact(job) ? [] : [{ job: job.id, text: 'its input does not match its hash' }]),
  ...(isResultIntact(job) ? [] : [{ job: job.id, text: 'its result does not match its hash' }]),
  ...(isFinal(job.state) && job.deadlineAt !== null ? [{ job: job.id, text: 'it is over, and has a deadline' }] : []),
];

/** How many entries an attempt's journal has, or what is wrong with it. */
const journalOf = (reader: Reader, job: JobRow, attempt: number): number | string => {
  try {
    const answer = reader.answer({ type: 'journal', id: job.id, attempt });
    if (answer.type !== 'journal' || answer.journal === null) return 0;
    const { length } = journalEntries(job.id, answer.journal);
    if (!isSnapshotSound(reader, { job: job.id, attempt }, answer.journal.batches))
      return `the snapshot of attempt ${attempt} does not match its seal: it is never used, and the job replays`;
    return attempt === job.attempt && !isAsItsJobSays(answer.journal.batches, job)
      ? `the journal of attempt ${attempt} is whole, and is not the one that its job's row names`
      : length;
  } catch (error) {
    return `the journal of attempt ${attempt} is damaged: ${reason(error)}`;
  }
};

const isAsItsJobSays = (batches: readonly JournalBatch[], job: JobRow): boolean => {
  const last = batches.at(-1)?.hash ?? null;
  const size = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
  if (size !== job.journalBytes) return false;
  return last === null || job.journalHash === null ? last === job.journalHash : bytesEqual(last, job.journalHash);
};

/** Whether an attempt's snapshot, if it has one, is whole and stands for entries of this journal. */
const isSnapshotSound = (
  reader: Reader,
  { job, attempt }: { readonly job: string; readonly attempt: number },
  batches: readonly JournalBatch[],
): boolean => {
  const answer = reader.answer({ type: 'snapshot', id: job, attempt });
  if (answer.type !== 'snapshot' || answer.snapshot === null) return true;
  return isSnapshotOf(answer.snapshot, batches) && (answer.snapshot.head === undefined || hasHead(answer.snapshot));
};
