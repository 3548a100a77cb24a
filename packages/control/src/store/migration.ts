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
