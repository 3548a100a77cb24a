import { renameSync, writeFileSync } from 'node:fs';
import { mvmError } from '@mvm-ci/protocol';

/**
 * Puts the ticket into a file of its own, for workers that may see it and nothing else of the data folder. Whoever reads
 * the file finds a whole ticket: the earlier one, or this one. Readable by its owner alone.
 *
 * @throws CONFIG_INVALID when the file can't be written
 */
export const writeTicketCopy = (path: string, ticket: string): void => {
  const fresh = `${path}.new`;
  try {
    writeFileSync(fresh, `${ticket}\n`, { mode: 0o600 });
    renameSync(fresh, path);
  } catch (error) {
    throw mvmError('CONFIG_INVALID', `the copy of the ticket can't be written: ${String(error)}`, { path });
  }
};
