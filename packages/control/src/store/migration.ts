/**
 * The database's schema as numbered steps that only go forward. A step that was released is never edited; the number of
 * the last one is kept in the database (`PRAGMA user_version`), with a line for each in `migrations`.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { DatabaseSync } from 'node:sqlite';
import { number } from '../machine/column.ts';

/** The steps, the first one is number 1. */
export const migrations: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'jobs, journals, modules, nodes and tokens',
    sql: `
      CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      INSERT INTO counters VALUES ('change', 0), ('job', 0), ('deployment', 0), ('pending', 0), ('claimed', 0),
        ('in_progress', 0), ('waiting', 0), ('completed', 0), ('failed', 0), ('cancelled', 0);
      CREATE TABLE jobs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        durable INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        lost_leases INTEGER NOT NULL,
        strikes INTEGER NOT NULL,
        claimed_at INTEGER NOT NULL,
        claimed_entries INTEGER NOT NULL,
        resumes INTEGER NOT NULL,
        run_at INTEGER NOT NULL,
        worker TEXT,
        incarnation TEXT,
        bare INTEGER NOT NULL,
        cancel_reason TEXT,
        journal_entries INTEGER NOT NULL,
        journal_bytes INTEGER NOT NULL,
        journal_hash BLOB,
        progress_percent REAL,
        progress_text TEXT,
        result TEXT,
        error_code TEXT,
        error_message TEXT,
        completed_by TEXT,
        finished_epoch INTEGER,
        finished_by TEXT,
        outcome_hash BLOB,
        updated_at INTEGER NOT NULL,
        change INTEGER NOT NULL
      );
      CREATE INDEX jobs_ready ON jobs (durable, run_at, number) WHERE state = 'pending' AND strikes < 2;
      CREATE INDEX jobs_suspect ON jobs (state, durable, run_at, number) WHERE strikes >= 2;
      CREATE INDEX jobs_state ON jobs (state, number);
      CREATE INDEX jobs_change ON jobs (change);
      CREATE TABLE content (
        number INTEGER PRIMARY KEY,
        reference TEXT,
        workflow TEXT,
        module TEXT,
        entry TEXT,
        input TEXT NOT NULL,
        attempts_max INTEGER NOT NULL,
        backoff_initial_ms REAL NOT NULL,
        backoff_factor REAL NOT NULL,
        backoff_max_ms REAL NOT NULL,
        created_at INTEGER NOT NULL,
        content_hash BLOB NOT NULL
      );
      CREATE TABLE journal (
        job INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        first_seq INTEGER NOT NULL,
        count INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        hash BLOB NOT NULL
      );
      CREATE UNIQUE INDEX journal_place ON journal (job, attempt, first_seq);
      CREATE TABLE modules (
        hash TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        runtime TEXT NOT NULL,
        workflows TEXT NOT NULL,
        file BLOB NOT NULL
      );
      CREATE TABLE deployments (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        hash TEXT NOT NULL,
        deployed_at INTEGER NOT NULL,
        UNIQUE (name, version)
      );
      CREATE TABLE nodes (
        node TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        joined_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE tokens (hash BLOB PRIMARY KEY, created_at INTEGER NOT NULL) WITHOUT ROWID;
    `,
  },
  {
    name: 'tickets, roles, tags and bans',
    sql: `
      ALTER TABLE nodes ADD COLUMN role TEXT NOT NULL DEFAULT 'worker';
      ALTER TABLE nodes ADD COLUMN tags TEXT NOT NULL DEFAULT '';
      ALTER TABLE nodes ADD COLUMN ticket TEXT;
      ALTER TABLE nodes ADD COLUMN renamed INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE nodes ADD COLUMN banned_at INTEGER;
      ALTER TABLE nodes ADD COLUMN ban_reason TEXT;
      CREATE TABLE tickets (
        id TEXT PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        name TEXT,
        role TEXT NOT NULL,
        tags TEXT NOT NULL,
        uses INTEGER NOT NULL,
        uses_max INTEGER,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER
      ) WITHOUT ROWID;
      INSERT INTO tickets
        SELECT lower(hex(substr(hash, 1, 6))), hash, 'endpoint.ticket', 'worker', '', 0, NULL, created_at, NULL, NULL
        FROM tokens;
      DROP TABLE tokens;
    `,
  },
  {
    name: 'inboxes, children, waiting jobs and responses',
    sql: `
      ALTER TABLE jobs ADD COLUMN parent TEXT;
      ALTER TABLE jobs ADD COLUMN parent_attempt INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN detached INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN has_children INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN inbox_last INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN inbox_items INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE content ADD COLUMN response TEXT;
      CREATE INDEX jobs_parent ON jobs (parent, parent_attempt) WHERE parent IS NOT NULL;
      DROP INDEX jobs_ready;
      CREATE INDEX jobs_ready ON jobs (durable, run_at, number) WHERE state IN ('pending', 'waiting') AND strikes < 2;
      CREATE TABLE inbox (
        job INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        call INTEGER,
        body TEXT NOT NULL,
        PRIMARY KEY (job, number)
      );
      CREATE TABLE messages (
        job INTEGER NOT NULL,
        id TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (job, id)
      ) WITHOUT ROWID;
    `,
  },
  {
    name: 'jobs that go on with another module',
    sql: `
      CREATE TABLE repins (
        number INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        entries INTEGER NOT NULL,
        module_from TEXT NOT NULL,
        module_to TEXT NOT NULL,
        at INTEGER NOT NULL
      );
      CREATE INDEX repins_attempt ON repins (job, attempt, number);
    `,
  },
  {
    name: 'packed journals',
    sql: `
      ALTER TABLE journal ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
      INSERT INTO counters VALUES ('compacted', 0);
    `,
  },
  {
    // A job that may run already is made ready by the first claims, as one whose time has come.
    name: 'queues, lanes, deadlines, unique keys, dependencies and labels',
    sql: `
      CREATE TABLE queues (name TEXT PRIMARY KEY, settings TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE rates (
        queue TEXT NOT NULL,
        key TEXT NOT NULL,
        slot INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (queue, key, slot)
      ) WITHOUT ROWID;
      CREATE TABLE flows (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        key TEXT NOT NULL,
        turn INTEGER NOT NULL,
        UNIQUE (queue, key)
      );
      CREATE TABLE lanes (
        id INTEGER PRIMARY KEY,
        flow INTEGER NOT NULL,
        kind TEXT NOT NULL,
        requires TEXT NOT NULL,
        UNIQUE (flow, kind, requires)
      );
      INSERT INTO flows VALUES (1, 'default', '', 0);
      INSERT INTO lanes VALUES (1, 1, 'workflow', ''), (2, 1, 'payload', '');
      ALTER TABLE jobs ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
      ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN deadline_at INTEGER;
      ALTER TABLE jobs ADD COLUMN attempt_at INTEGER;
      ALTER TABLE jobs ADD COLUMN cancel_at INTEGER;
      ALTER TABLE jobs ADD COLUMN attempts_forgiven INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN dependencies_left INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE jobs ADD COLUMN has_dependents INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE content ADD COLUMN options TEXT;
      UPDATE jobs SET lane = 2 - durable, rank = CASE WHEN run_at < 9007199254740991 THEN run_at ELSE updated_at END;
      DROP INDEX jobs_ready;
      CREATE INDEX jobs_ready ON jobs (lane, rank, number) WHERE ready = 1;
      CREATE INDEX jobs_due ON jobs (run_at) WHERE ready = 0 AND state IN ('pending', 'waiting') AND strikes < 2;
      CREATE INDEX jobs_deadline ON jobs (deadline_at) WHERE deadline_at IS NOT NULL;
      CREATE TABLE uniques (key TEXT PRIMARY KEY, job INTEGER NOT NULL, until INTEGER) WITHOUT ROWID;
      CREATE TABLE dependencies (awaited INTEGER NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (awaited, job)) WITHOUT ROWID;
      CREATE INDEX dependencies_job ON dependencies (job);
      CREATE TABLE labels (
        kind TEXT NOT NULL,
        label TEXT NOT NULL,
        job INTEGER NOT NULL,
        PRIMARY KEY (kind, label, job)
      ) WITHOUT ROWID;
    `,
  },
  {
    name: 'schedules',
    sql: `
      CREATE TABLE schedules (
        name TEXT PRIMARY KEY,
        spec TEXT NOT NULL,
        next_at INTEGER,
        last_at INTEGER,
        last_job TEXT,
        skipped INTEGER NOT NULL,
        error_code TEXT,
        error_message TEXT
      ) WITHOUT ROWID;
    `,
  },
  {
    name: 'retention',
    sql: `
      CREATE INDEX jobs_over ON jobs (state, updated_at, number) WHERE state IN ('completed', 'failed', 'cancelled');
      CREATE INDEX labels_job ON labels (job);
      CREATE INDEX uniques_job ON uniques (job);
    `,
  },
  {
    name: 'webhooks',
    sql: `
      CREATE TABLE webhooks (
        name TEXT PRIMARY KEY,
        spec TEXT NOT NULL,
        change INTEGER NOT NULL,
        dropped INTEGER NOT NULL,
        error TEXT
      ) WITHOUT ROWID;
    `,
  },
  {
    name: 'snapshots',
    sql: `
      CREATE TABLE snapshots (
        job INTEGER PRIMARY KEY,
        attempt INTEGER NOT NULL,
        entries INTEGER NOT NULL,
        runtime TEXT NOT NULL,
        image_hash TEXT NOT NULL,
        seal BLOB NOT NULL,
        bytes BLOB NOT NULL
      );
    `,
  },
  {
    name: 'blobs',
    sql: `
      CREATE TABLE blobs (hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL, kept_at INTEGER NOT NULL) WITHOUT ROWID;
      CREATE INDEX blobs_kept ON blobs (kept_at);
      CREATE TABLE blob_refs (job INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (job, hash)) WITHOUT ROWID;
      CREATE INDEX blob_refs_hash ON blob_refs (hash);
    `,
  },
  {
    name: 'moves',
    sql: `
      CREATE TABLE moves (job INTEGER PRIMARY KEY, worker TEXT NOT NULL);
      CREATE INDEX moves_worker ON moves (worker);
    `,
  },
  {
    name: 'traces',
    sql: `
      ALTER TABLE content ADD COLUMN trace TEXT;
    `,
  },
  {
    // Of `IN` with more than two values SQLite builds a temporary table, here twice in each update of a job; of `OR` it builds none.
    name: 'an index of the jobs that are over whose condition is cheap',
    sql: `
      DROP INDEX jobs_over;
      CREATE INDEX jobs_over ON jobs (state, updated_at, number)
        WHERE state = 'completed' OR state = 'failed' OR state = 'cancelled';
    `,
  },
  {
    name: 'heads of snapshots',
    sql: `
      ALTER TABLE snapshots ADD COLUMN head BLOB;
      ALTER TABLE snapshots ADD COLUMN head_seal BLOB;
    `,
  },
  {
    name: 'when jobs were retried',
    sql: `
      ALTER TABLE jobs ADD COLUMN retried_at INTEGER;
    `,
  },
];

/**
 * Brings the schema up to date, in one transaction.
 *
 * @param target number of the last step; tests stop earlier. @default all steps
 * @throws {MvmError} `CONFIG_INVALID` when a newer release has written the database.
 */
export const migrate = (db: DatabaseSync, target: number = migrations.length): void => {
  const version = schemaVersion(db);
  if (version > migrations.length) {
    throw mvmError(
      'CONFIG_INVALID',
      `the database has schema version ${version}, and this release knows ${migrations.length}: it was written by a newer release; run that one`,
      { found: version, known: migrations.length },
    );
  }
  if (version >= target) return;
  db.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL);');
  for (const [index, step] of migrations.slice(0, target).entries()) {
    if (index < version) continue;
    db.exec(step.sql);
    db.prepare('INSERT INTO migrations VALUES (?, ?)').run(index + 1, step.name);
  }
  db.exec(`PRAGMA user_version = ${target}; COMMIT`);
};

const schemaVersion = (db: DatabaseSync): number => {
  const row = db.prepare('PRAGMA user_version').get();
  return row === undefined ? 0 : number(row, 'user_version');
};
