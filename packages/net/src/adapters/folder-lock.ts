import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A folder that this process alone uses until it is disposed of. */
export type FolderLock = Disposable;

/**
 * Takes a folder that exists for this process. The lock is one of the operating system, on an SQLite file `lock.db` in it: it
 * ends with the process, however that ends.
 *
 * @returns undefined when another holder has it
 */
export const lockFolder = (folder: string): FolderLock | undefined => {
  const db = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 });
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch {
    db.close();
    return undefined;
  }
  return {
    [Symbol.dispose]: (): void => {
      if (db.isOpen) db.close();
    },
  };
};
