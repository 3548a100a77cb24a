import { DatabaseSync } from 'node:sqlite';
import { migrate } from './migration.ts';

/**
 * Opens the database for writing, with the current schema: WAL, and synced at every commit (I2).
 *
 * @throws CONFIG_INVALID when a newer release has written it
 */
export const openDatabase = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536',
  );
  migrate(db);
  return db;
};

/** Opens a second connection, for reading; the database exists already. */
export const openForReading = (path: string): DatabaseSync =>
  new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
