import { mvmError } from '@mvm-ci/protocol';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openForReading } from '../store/database.ts';
import { examine, isDamage, type Examination } from '../store/examination.ts';
import { backupBlobsPath, examineBlobs, type ExaminedBlobs } from './backup-blobs.ts';

/** What an examination of a data folder or a backup gives. */
export type DataExamination = Examination & ExaminedBlobs;

/**
 * Examines the database and the blobs of a data folder, or of a backup, whether a control plane runs on it or not.
 *
 * @param path the folder, or the file
 * @throws CONFIG_INVALID when there is no such thing, or it is no database of ours
 */
export const examineData = async (path: string, onJob?: (done: number) => void): Promise<DataExamination> => {
  const full = resolve(path);
  const inFolder = join(full, 'control.db');
  const isFolder = existsSync(inFolder);
  const file = isFolder ? inFolder : full;
  if (!existsSync(file)) throw mvmError('CONFIG_INVALID', `there is neither a data folder nor a backup ${full}`);
  try {
    const examined = examineDatabase(file, onJob);
    const folder = isFolder ? join(full, 'blobs') : backupBlobsPath(full);
    const blobs = await examineBlobs(() => openForReading(file), folder).catch(unreadBlobs);
    return { ...examined, ...blobs, findings: [...examined.findings, ...blobs.findings] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('CONFIG_INVALID', `${file} can't be examined: ${reason}`, { path: file });
  }
};

/** The rows that name blobs are on a damaged page. */
const unreadBlobs = (error: unknown): ExaminedBlobs => {
  if (!isDamage(error)) throw error;
  const reason = error instanceof Error ? error.message : String(error);
  return { blobs: 0, blobOrphans: 0, findings: [{ job: null, text: `the blobs could not be looked at: ${reason}` }] };
};

const examineDatabase = (file: string, onJob?: (done: number) => void): Examination => {
  using db = openForReading(file);
  // One moment for all of it, whatever is written meanwhile.
  db.exec('BEGIN');
  return examine(db, onJob);
};
