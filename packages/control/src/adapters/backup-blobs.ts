/**
 * The blobs of a data folder or of a backup, as files: what `mvm-ci backup` copies and `mvm-ci doctor` reads. Which there should be, the
 * database beside them says.
 */
import { beginBlake3 } from '@mvm-ci/protocol';
import {
  constants,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { number, text, textOrNull } from '../machine/column.ts';
import type { Finding } from '../store/examination.ts';
import { blobNames, blobPath } from './blob-folder.ts';
import { sync } from './sync-path.ts';

/** What became of the blobs that a database names. */
export interface CopiedBlobs {
  readonly count: number;
  readonly bytes: number;
  /** Hashes of those whose files are not there. */
  readonly missing: readonly string[];
}

/** What a look at all blobs found. */
export interface ExaminedBlobs {
  /** Blobs that the database names. */
  readonly blobs: number;
  /** Files that it doesn't name: a crash left them, and the next start of the control plane removes them. */
  readonly blobOrphans: number;
  readonly findings: readonly Finding[];
}

interface NamedBlob {
  readonly hash: string;
  readonly bytes: number;
  /** One of the jobs that refer to it. */
  readonly job: string | null;
}

/** Where the blobs of a backup are: beside its file. */
export const backupBlobsPath = (file: string): string => `${file}.blobs`;

/**
 * Copies all blobs that `db` names. Each gets its name when it is whole and on the disk; the same names have the same bytes, so what is
 * in the way may be replaced at any time.
 */
export const copyBlobs = (db: DatabaseSync, from: string, to: string): CopiedBlobs => {
  const missing: string[] = [];
  let bytes = 0;
  const named = namedBlobs(db);
  for (const blob of named) {
    if (copyBlob(blobPath(from, blob.hash), to, blob.hash)) bytes += blob.bytes;
    else missing.push(blob.hash);
  }
  return { count: named.length - missing.length, bytes, missing };
};

const copyBlob = (source: string, folder: string, hash: string): boolean => {
  if (!existsSync(source)) return false;
  const shelf = join(blobPath(folder, hash), '..');
  mkdirSync(shelf, { recursive: true, mode: 0o700 });
  const unfinished = join(folder, 'unfinished');
  copyFileSync(source, unfinished, constants.COPYFILE_FICLONE);
  sync(unfinished);
  renameSync(unfinished, blobPath(folder, hash));
  sync(shelf);
  sync(folder);
  return true;
};

/** Removes what `db` doesn't name: the blobs of the backup that was replaced, and what an interrupted one left. */
export const removeOtherBlobs = (db: DatabaseSync, folder: string): void => {
  const named = new Set(namedBlobs(db).map(({ hash }) => hash));
  for (const hash of blobNames(folder)) if (!named.has(hash)) rmSync(blobPath(folder, hash), { force: true });
  if (named.size === 0) rmSync(folder, { recursive: true, force: true });
};

/** Reads all files, and hashes them. What a running control plane forgets meanwhile is nothing wrong. */
export const examineBlobs = async (open: () => DatabaseSync, folder: string): Promise<ExaminedBlobs> => {
  // Before the database, so that the file of a blob which is kept meanwhile isn't taken for an orphan.
  const files = blobNames(folder);
  const named = readNamed(open);
  const findings: Finding[] = [];
  for (const blob of named) {
    const wrong = await objection(blobPath(folder, blob.hash), blob);
    if (wrong !== undefined && readNamed(open).some(({ hash }) => hash === blob.hash))
      findings.push({ job: blob.job, text: `the blob ${blob.hash} ${wrong}` });
  }
  const known = new Set(named.map(({ hash }) => hash));
  return { blobs: named.length, blobOrphans: files.filter((hash) => !known.has(hash)).length, findings };
};

const readNamed = (open: () => DatabaseSync): readonly NamedBlob[] => {
  using db = open();
  return namedBlobs(db);
};

/** What is wrong with a blob's file. */
const objection = async (path: string, { hash, bytes }: NamedBlob): Promise<string | undefined> => {
  if (!existsSync(path)) return 'is not there';
  const { size } = statSync(path);
  if (size !== bytes) return `has ${size} bytes, and the database says ${bytes}`;
  const running = await beginBlake3();
  try {
    const source: AsyncIterable<Uint8Array> = createReadStream(path);
    for await (const part of source) running.update(part);
  } catch (error) {
    return `can't be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  return running.digest() === hash ? undefined : 'does not match its hash';
};

const namedSql = `
  SELECT hash, bytes, (
    SELECT jobs.id FROM blob_refs JOIN jobs ON jobs.number = blob_refs.job WHERE blob_refs.hash = blobs.hash LIMIT 1
  ) AS job FROM blobs ORDER BY hash`;

/** None in a database of a release that had no blobs. */
const namedBlobs = (db: DatabaseSync): readonly NamedBlob[] => {
  const table = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'blob_refs'").get();
  if (table === undefined) return [];
  return db
    .prepare(namedSql)
    .all()
    .map((row) => ({ hash: text(row, 'hash'), bytes: number(row, 'bytes'), job: textOrNull(row, 'job') }));
};
