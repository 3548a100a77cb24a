/** `claim` and `claim-bare`: the earliest `run_at` first, then publish order. Each claim raises the epoch (I3). */
import { mvmError } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { commit, noteAvailable, type Application } from './application.ts';
import { demandAllowed } from './ban.ts';
import type { ClaimBareCommand, ClaimCommand } from './command.ts';
import type { JobRow } from './job-row.ts';
import type { ClaimedRow, ReplyTo } from './reply.ts';
import { claimed } from './transition.ts';

/**
 * Gives the worker up to `capacity` workflow jobs, at most one suspect among them; fewer when their inputs are long.
 *
 * @throws FORBIDDEN when the worker is banned
 */
export const claim = (app: Application, command: ClaimCommand): ReplyTo<'claim'> => {
  demandAllowed(app, command.worker);
  const rows = readySuspect(app, command).map((row) => take(app, row, command));
  const isCut = takeReady(app, command, rows);
  if (isCut) noteAvailable(app.effects, command.at, command.at);
  else if (rows.length < command.capacity) app.effects.runAt = nextLook(app, command.at);
  return { type: 'claim', jobs: rows.map(claimedRow) };
};

/**
 * Takes jobs into `rows` until it is full. Whether it stopped before, since the answer must be there long before the
 * leases in it run out.
 */
const takeReady = (app: Application, command: ClaimCommand, rows: JobRow[]): boolean => {
  let inputChars = 0;
  for (let left = command.capacity - rows.length; left > 0; left = command.capacity - rows.length) {
    const count = Math.min(left, controlLimits.claimRowsRead);
    const ready = app.tables.jobs.ready(true, command.at, count);
    for (const row of ready) {
      inputChars += row.content.input?.length ?? 0;
      if (inputChars > controlLimits.claimInputCharsMax && rows.length > 0) return true;
      rows.push(take(app, row, command));
    }
    if (ready.length < count) return false;
  }
  return false;
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
  demandAllowed(app, command.worker);
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
