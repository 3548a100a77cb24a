/**
 * Backups: one file that holds the database as it was at one moment, and the secrets of the data folder in a table of its own; beside it
 * a folder with the blobs that this database names. Made while the control plane runs, or while it does not; its owner alone may read it.
 */
import { keepPrivate, lockFolder } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from '../machine/column.ts';
import { openForReading } from '../store/database.ts';
import { migrate } from '../store/migration.ts';
import { backupBlobsPath, copyBlobs, removeOtherBlobs, type CopiedBlobs } from './backup-blobs.ts';
import { sync } from './sync-path.ts';

/** What a backup, or what was restored, holds. */
export interface BackupFacts {
  readonly path: string;
  readonly bytes: number;
  readonly jobs: number;
  /** Names of the secrets beside the database. */
  readonly secrets: readonly string[];
  /** Copied with it; null: they were left out. */
  readonly blobs: CopiedBlobs | null;
}

const databaseName = 'control.db';
const blobsName = 'blobs';
/** What makes a control plane the same to its workers and operators. */
const secretNames = ['node.key', 'join.token', 'operator.token', 'peer-ports.json'] as const;

/** Where to, and what. */
export interface BackupOptions {
  /** Folder of a control plane, running or not. */
  readonly data: string;
  readonly file: string;
  /** Whether a file of that name may be replaced. @default false */
  readonly force?: boolean | undefined;
  /** Whether the secrets go into it. @default true */
  readonly secrets?: boolean | undefined;
  /** Whether the blobs go into a folder beside it. @default true */
  readonly blobs?: boolean | undefined;
}

/** Makes a backup. @throws CONFIG_INVALID when there is no control plane's folder, or the file is there already */
export const backupData = ({ data, file, force = false, secrets = true, blobs = true }: BackupOptions): BackupFacts => {
  const source = join(resolve(data), databaseName);
  const target = resolve(file);
  if (!existsSync(source))
    throw mvmError('CONFIG_INVALID', `${resolve(data)} is no data folder: it has no ${databaseName}`);
  if (existsSync(target) && !force)
    throw mvmError('CONFIG_INVALID', `${target} is there already: give --force to replace it`);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { force: true });
  try {
    copyDatabase(source, unfinished);
    addSecrets(unfinished, secrets ? kept(data) : []);
    sync(unfinished);
    const copied = blobs ? takeBlobs(unfinished, join(resolve(data), blobsName), backupBlobsPath(target)) : null;
    renameSync(unfinished, target);
    sync(dirname(target));
    if (blobs) dropOldBlobs(target);
    return { ...facts(target), blobs: copied };
  } finally {
    rmSync(unfinished, { force: true });
  }
};

const takeBlobs = (database: string, from: string, to: string): CopiedBlobs => {
  using db = openForReading(database);
  return copyBlobs(db, from, to);
};

/** Last: until the new backup has its name, the one that it replaces is whole. */
const dropOldBlobs = (target: string): void => {
  using db = openForReading(target);
  removeOtherBlobs(db, backupBlobsPath(target));
};

/** All of it as it is at one moment, whatever is written meanwhile. */
const copyDatabase = (source: string, target: string): void => {
  // Made first, so that nobody else can read it at any time.
  writeFileSync(target, '', { mode: 0o600, flag: 'wx' });
  using db = openForReading(source);
  db.prepare('VACUUM INTO ?').run(target);
};

const kept = (data: string): readonly (readonly [name: string, content: string])[] =>
  secretNames.flatMap((name) => {
    const path = join(resolve(data), name);
    return existsSync(path) ? [[name, readFileSync(path, 'utf8')] as const] : [];
  });

const addSecrets = (path: string, secrets: readonly (readonly [name: string, content: string])[]): void => {
  using db = new DatabaseSync(path);
  db.exec('CREATE TABLE backup_secrets (name TEXT PRIMARY KEY, content TEXT NOT NULL)');
  const insert = db.prepare('INSERT INTO backup_secrets VALUES (?, ?)');
  for (const [name, content] of secrets) insert.run(name, content);
};

/** Makes a data folder of a backup. @throws CONFIG_INVALID when the file is no sound backup, or the folder is not empty */
export const restoreData = ({ file, data }: { readonly file: string; readonly data: string }): BackupFacts => {
  const source = resolve(file);
  const folder = resolve(data);
  if (!existsSync(source)) throw mvmError('CONFIG_INVALID', `there is no backup ${source}`);
  const found = facts(source);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw mvmError('CONFIG_INVALID', `${folder} is not empty: a backup is restored into a folder of its own`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  using lock = lockFolder(folder);
  if (lock === undefined) throw mvmError('CONFIG_INVALID', `another process uses the data folder ${folder}`);
  const unfinished = join(folder, `${databaseName}.unfinished`);
  copyFileSync(source, unfinished);
  chmodSync(unfinished, 0o600);
  for (const [name, content] of takeSecrets(unfinished)) writePrivate(join(folder, name), content);
  sync(unfinished);
  const blobs = takeBlobs(unfinished, backupBlobsPath(source), join(folder, blobsName));
  // Last: a folder without it is none.
  renameSync(unfinished, join(folder, databaseName));
  sync(folder);
  return { ...found, path: folder, blobs };
};

const takeSecrets = (path: string): readonly (readonly [name: string, content: string])[] => {
  using db = new DatabaseSync(path);
  const secrets = db
    .prepare('SELECT name, content FROM backup_secrets')
    .all()
    .map((row) => [text(row, 'name'), text(row, 'content')] as const);
  db.exec('DROP TABLE backup_secrets; VACUUM');
  // An older backup becomes what this release works with.
  migrate(db);
  return secrets.filter(([name]) => secretNames.some((known) => known === name));
};

const writePrivate = (path: string, content: string): void => {
  writeFileSync(path, content, { mode: 0o600, flush: true });
  keepPrivate(path, () => undefined);
};

/** @throws CONFIG_INVALID when it is no sound backup */
const facts = (path: string): Omit<BackupFacts, 'blobs'> => {
  try {
    using db = openForReading(path);
    const verdict = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (verdict !== 'ok') throw new Error(String(verdict));
    const bytes = Number(
      db.prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size').get()?.['bytes'],
    );
    const jobs = Number(db.prepare('SELECT count(*) AS jobs FROM jobs').get()?.['jobs']);
    const secrets = db
      .prepare('SELECT name FROM backup_secrets ORDER BY name')
      .all()
      .map((row) => text(row, 'name'));
    return { path, bytes, jobs, secrets };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('CONFIG_INVALID', `${basename(path)} is no sound backup: ${reason}`, { path });
  }
};
