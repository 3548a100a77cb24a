/** Databases as earlier releases left them: the steps of the schema up to a version, and rows such as that version wrote. */
import { chainStart, defaultBackoff, type JobState } from '@mvm-ci/protocol';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import { migrate } from '../../src/store/migration.ts';
import { deployCrawler, oneEntryBatch } from '../machine/commands.ts';

/** The jobs of each old database, in the order in which they were published. */
export const oldJobs: readonly OldJob[] = [
  { id: 'payload', state: 'pending', reference: null, epoch: 0, entries: 0 },
  { id: 'running', state: 'in_progress', reference: 'crawler', epoch: 3, entries: 2 },
  { id: 'completed', state: 'completed', reference: 'crawler', epoch: 1, entries: 3 },
  { id: 'failed', state: 'failed', reference: 'crawler', epoch: 2, entries: 1 },
  { id: 'cancelled', state: 'cancelled', reference: null, epoch: 0, entries: 0 },
  { id: 'ready', state: 'pending', reference: 'crawler', epoch: 0, entries: 0 },
];

interface OldJob {
  readonly id: string;
  readonly state: JobState;
  readonly reference: string | null;
  readonly epoch: number;
  readonly entries: number;
}

/** The input and the result that they have. */
export const oldInput: string = '{"url":"http://example.test/"}';
/** JSON text. */
export const oldResult: string = '"found"';

/** A database of that version, in memory, with all kinds of rows that it knew. */
export const oldDatabase = (version: number): DatabaseSync => {
  const db = new DatabaseSync(':memory:');
  migrate(db, version);
  for (const [index, job] of oldJobs.entries()) addJob(db, { ...job, number: index + 1 });
  addModule(db);
  for (const [first, last, sql] of laterRows) if (version >= first && version <= last) db.exec(sql);
  db.exec(`
    INSERT INTO facts VALUES ('cluster', 'here');
    UPDATE counters SET value = ${oldJobs.length} WHERE name IN ('job', 'change');
    UPDATE counters SET value = 1 WHERE name = 'deployment';
    UPDATE counters SET value = (SELECT count(*) FROM jobs WHERE state = counters.name)
      WHERE name IN ('pending', 'claimed', 'in_progress', 'waiting', 'completed', 'failed', 'cancelled');`);
  return db;
};

const addJob = (db: DatabaseSync, job: OldJob & { readonly number: number }): void => {
  const { number, id, state, reference, epoch } = job;
  addContent(db, number, reference);
  const journal = addJournal(db, job);
  const isCompleted = state === 'completed';
  const error = errorCodes.get(state) ?? null;
  insert(db, 'jobs', {
    number,
    id,
    state,
    durable: reference === null ? 0 : 1,
    attempt: 1,
    epoch,
    lost_leases: 0,
    strikes: 0,
    claimed_at: 6,
    claimed_entries: 0,
    resumes: 0,
    run_at: 5,
    worker: epoch > 0 ? 'n1' : null,
    incarnation: epoch > 0 ? 'i1' : null,
    bare: 0,
    journal_entries: job.entries,
    journal_bytes: journal.bytes,
    journal_hash: journal.hash,
    result: isCompleted ? oldResult : null,
    error_code: error,
    error_message: error === null ? null : 'why',
    finished_epoch: isCompleted ? epoch : null,
    finished_by: isCompleted ? 'n1' : null,
    outcome_hash: isCompleted ? outcomeHash({ type: 'completed', result: oldResult }) : null,
    updated_at: 7,
    change: number,
  });
};

const errorCodes: ReadonlyMap<JobState, string> = new Map([
  ['failed', 'WORKFLOW_FAILED'],
  ['cancelled', 'CANCELLED'],
]);

const insert = (db: DatabaseSync, table: string, row: Readonly<Record<string, SQLInputValue>>): void => {
  const names = Object.keys(row);
  const places = names.map(() => '?').join(', ');
  db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${places})`).run(...Object.values(row));
};

const addContent = (db: DatabaseSync, number: number, reference: string | null): void => {
  const isRun = reference !== null;
  insert(db, 'content', {
    number,
    reference,
    workflow: isRun ? 'crawler@1/main' : null,
    module: isRun ? deployCrawler(0).hash : null,
    entry: isRun ? 'main' : null,
    input: oldInput,
    attempts_max: 2,
    backoff_initial_ms: defaultBackoff.initial_ms,
    backoff_factor: defaultBackoff.factor,
    backoff_max_ms: defaultBackoff.max_ms,
    created_at: 5,
    content_hash: contentHash({ reference, input: oldInput, attemptsMax: 2, backoff: defaultBackoff }),
  });
};

/** Batches of one entry each. @returns what their job's row says of them */
const addJournal = (
  db: DatabaseSync,
  { number, id, epoch, entries }: OldJob & { readonly number: number },
): { readonly bytes: number; readonly hash: Uint8Array | null } => {
  let journal: { bytes: number; hash: Uint8Array | null } = { bytes: 0, hash: null };
  for (let seq = 0; seq < entries; seq += 1) {
    const previous = journal.hash ?? chainStart(id, 1);
    const { bytes, hash } = oneEntryBatch({ job: id, attempt: 1, firstSeq: seq, previous }, `line ${seq}`);
    insert(db, 'journal', { job: number, attempt: 1, first_seq: seq, count: 1, epoch, bytes, hash });
    journal = { bytes: journal.bytes + bytes.length, hash };
  }
  return journal;
};

const addModule = (db: DatabaseSync): void => {
  const { hash, kind, runtime, workflows, file } = deployCrawler(0);
  insert(db, 'modules', { hash, kind, runtime, workflows: workflows.join('\n'), file });
  insert(db, 'deployments', { number: 1, name: 'crawler', version: '1', hash, deployed_at: 4 });
  insert(db, 'nodes', { node: 'n1', name: 'one', joined_at: 8, seen_at: 9 });
};

/** Rows of tables and columns that came later: first and last version that has them, and how they are written. */
const laterRows: readonly (readonly [first: number, last: number, sql: string])[] = [
  [1, 1, "INSERT INTO tokens VALUES (x'01020304050607', 7)"],
  [
    2,
    Infinity,
    `INSERT INTO tickets (id, hash, name, role, tags, uses, uses_max, created_at, expires_at, revoked_at)
       VALUES ('010203040506', x'01020304050607', 'endpoint.ticket', 'worker', '', 1, NULL, 7, NULL, NULL);
     UPDATE nodes SET tags = 'gpu', ticket = '010203040506'`,
  ],
  [
    3,
    Infinity,
    `INSERT INTO inbox (job, number, at, kind, call, body)
       VALUES (2, 4, 6, 'message', NULL, '{"type":"message","from":null,"messageType":"go","data":"null"}');
     INSERT INTO messages (job, id, number) VALUES (2, 'm1', 4);
     UPDATE jobs SET inbox_last = 4, inbox_items = 1 WHERE number = 2;
     UPDATE jobs SET parent = 'running', parent_attempt = 1 WHERE number = 6;
     UPDATE jobs SET has_children = 1 WHERE number = 2`,
  ],
  [
    4,
    Infinity,
    `INSERT INTO repins (number, job, attempt, entries, module_from, module_to, at) VALUES (1, 2, 1, 1, 'old', 'new', 6)`,
  ],
  [
    6,
    Infinity,
    `INSERT INTO queues (name, settings) VALUES ('default', '{"concurrency":5}');
     UPDATE jobs SET lane = 2 - durable, rank = run_at;
     INSERT INTO uniques (key, job, until) VALUES ('once', 6, NULL);
     INSERT INTO labels (kind, label, job) VALUES ('tag', 'red', 6)`,
  ],
  [
    7,
    Infinity,
    `INSERT INTO schedules (name, spec, next_at, last_at, last_job, skipped, error_code, error_message)
       VALUES ('nightly', '{}', 100, NULL, NULL, 0, NULL, NULL)`,
  ],
];
