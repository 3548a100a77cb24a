/** `claim` and `claim-bare`: the earliest `run_at` first, then publish order. Each claim raises the epoch (I3). */
import { mvmError } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { commit, type Application } from './application.ts';
import type { ClaimBareCommand, ClaimCommand } from './command.ts';
import type { JobRow } from './job-row.ts';
import type { ClaimedRow, ReplyTo } from './reply.ts';
import { claimed } from './transition.ts';

/** Gives the worker up to `capacity` workflow jobs, at most one suspect among them. */
export const claim = (app: Application, command: ClaimCommand): ReplyTo<'claim'> => {
  const { jobs: table } = app.tables;
  const suspect = readySuspect(app, command);
  const left = command.capacity - suspect.length;
  const ready = left > 0 ? table.ready(true, command.at, left) : [];
  const jobs = [...suspect, ...ready].map((row) => claimedRow(take(app, row, command)));
  if (jobs.length < command.capacity) app.effects.runAt = nextLook(app, command.at);
  return { type: 'claim', jobs };
};

const readySuspect = (app: Application, { worker, at }: ClaimCommand): readonly JobRow[] => {
  const suspect = app.tables.jobs.suspect(true, at);
  if (suspect === undefined || app.tables.jobs.holdsSuspect(worker, at - controlLimits.suspectRunMs)) return [];
  return [suspect];
};

const nextLook = (app: Application, at: number): number | null => {
  const runAt = app.tables.jobs.nextRunAt(at);
  const isWaiting = app.tables.jobs.suspect(true, at) !== undefined;
  return isWaiting ? Math.min(runAt ?? Infinity, at + controlLimits.suspectWaitMs) : runAt;
};

/** Gives one payload job to a worker that reports without an epoch. */
export const claimBare = (app: Application, command: ClaimBareCommand): ReplyTo<'claim-bare'> => {
  const { jobs } = app.tables;
  const row = jobs.ready(false, command.at, 1)[0] ?? jobs.suspect(false, command.at);
  return { type: 'claim-bare', row: row === undefined ? null : take(app, row, command) };
};

const take = (app: Application, row: JobRow, command: ClaimCommand | ClaimBareCommand): JobRow => {
  const incarnation = command.type === 'claim' ? command.incarnation : null;
  const { worker, at } = command;
  const saved = commit(app, { before: row, next: claimed(row, { worker, incarnation, at }), at });
  app.effects.leases.push({
    job: saved.id,
    epoch: saved.epoch,
    worker,
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
