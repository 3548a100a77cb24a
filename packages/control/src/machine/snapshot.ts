/** `keep-snapshot`: stores a state of a held job's guest. What it says about the guest is its next holder's to judge. */
import { mvmError } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { KeepSnapshotCommand } from './command.ts';
import { demandHolder } from './holder.ts';
import type { ReplyTo } from './reply.ts';

/** @throws STALE_LEASE unless the sender holds the job; INVALID_ARGUMENT when entries behind the snapshot are not stored */
export const keepSnapshot = (app: Application, command: KeepSnapshotCommand): ReplyTo<'keep-snapshot'> => {
  const { job: id, worker, snapshot } = command;
  const job = app.tables.jobs.get(id);
  demandHolder(job, worker, command);
  const { entries } = snapshot;
  if (entries > job.journalEntries) {
    throw mvmError(
      'INVALID_ARGUMENT',
      `a snapshot stands for stored entries: the journal of job "${id}" has ${job.journalEntries}, not ${entries}`,
      { job_id: id, journal_entries: job.journalEntries, received: entries },
    );
  }
  app.tables.snapshots.put(job.number, job.attempt, snapshot);
  return { type: 'keep-snapshot', entries };
};
