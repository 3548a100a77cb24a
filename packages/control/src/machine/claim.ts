/** `claim` and `claim-bare`: the earliest `run_at` first, then publish order. Each claim raises the epoch (I3). */
import { mvmError } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { ClaimBareCommand, ClaimCommand } from './command.ts';
import type { JobRow } from './job-row.ts';
import type { ClaimedRow, ReplyTo } from './reply.ts';
import { claimed } from './transition.ts';

/** Gives the worker up to `capacity` workflow jobs. */
export const claim = (app: Application, command: ClaimCommand): ReplyTo<'claim'> => {
  const ready = app.tables.jobs.ready(true, command.at, command.capacity);
  const jobs = ready.map((row) => claimedRow(take(app, row, command)));
  if (jobs.length < command.capacity) app.effects.runAt = app.tables.jobs.nextRunAt(command.at);
  return { type: 'claim', jobs };
};

/** Gives one payload job to a worker that reports without an epoch. */
export const claimBare = (app: Application, command: ClaimBareCommand): ReplyTo<'claim-bare'> => {
  const row = app.tables.jobs.ready(false, command.at, 1)[0];
  return { type: 'claim-bare', row: row === undefined ? null : take(app, row, command) };
};

const take = (app: Application, row: JobRow, command: ClaimCommand | ClaimBareCommand): JobRow => {
  const incarnation = command.type === 'claim' ? command.incarnation : null;
  const saved = commit(app, { before: row, next: claimed(row, command.worker, incarnation), at: command.at });
  app.effects.leases.push({
    job: saved.id,
    epoch: saved.epoch,
    worker: command.worker,
    incarnation: incarnation ?? '',
    bare: saved.bare,
  });
  return { ...saved, content: row.content };
};

const claimedRow = (row: JobRow): ClaimedRow => {
  const { content } = row;
  if (content.module === null || content.entry === null || content.input === null) {
    throw mvmError('INTERNAL', `the database is damaged: job "${row.id}" has no module`);
  }
  return {
    job: row.id,
    epoch: row.epoch,
    attempt: row.attempt,
    module: content.module,
    workflow: content.entry,
    input: content.input,
    journalEntries: row.journalEntries,
    content: {
      reference: content.reference,
      attemptsMax: content.attemptsMax,
      backoffInitialMs: content.backoffInitialMs,
      backoffFactor: content.backoffFactor,
      backoffMaxMs: content.backoffMaxMs,
      hash: content.hash,
    },
  };
};
