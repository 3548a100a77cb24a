/** `claim` and `claim-bare`: who may take which job is decided in `pick.ts`. Each claim raises the epoch (I3). */
import { mvmError } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { commit, type Application } from './application.ts';
import { demandAllowed } from './ban.ts';
import type { ClaimBareCommand, ClaimCommand } from './command.ts';
import { noteLeft, noteReady, noteRunAt } from './effects.ts';
import type { JobRow } from './job-row.ts';
import { takeMoved } from './move.ts';
import { canServe, countClaims, countLeft, flowRoom, pick, type Ability } from './pick.ts';
import type { ClaimedRow, ReplyTo } from './reply.ts';
import { claimed } from './transition.ts';

/**
 * Gives the worker up to `capacity` workflow jobs, at most one suspect among them; fewer when their inputs are long.
 *
 * @throws FORBIDDEN when the worker is banned
 */
export const claim = (app: Application, command: ClaimCommand): ReplyTo<'claim'> => {
  demandAllowed(app, command.worker);
  const ability = abilityOf(command, command.kinds ?? ['workflow']);
  promote(app, command.at);
  const { worker, at, capacity } = command;
  const takeOne = (row: JobRow): JobRow => {
    countClaims(app, app.tables.lanes.get(row.lane).flow, { at, count: 1 });
    return take(app, row, command);
  };
  const rows = takeMoved(app, { worker, ability, at, take: takeOne }, capacity);
  if (rows.length < capacity) rows.push(...readySuspect(app, { ...command, ability }).map(takeOne));
  const isCut = takeReady(app, { ...command, ability }, rows);
  for (const row of rows) noteLeft(app.effects, app.tables.lanes.get(row.lane), 0);
  const isCounted = countLeft(app, command.at);
  // Others who wait look for themselves.
  if (isCut || (rows.length === command.capacity && !isCounted)) noteRunAt(app.effects, command.at);
  return { type: 'claim', jobs: rows.map(claimedRow) };
};

const abilityOf = (
  { tags = [], queues = null }: ClaimCommand | ClaimBareCommand,
  kinds: readonly string[],
): Ability => ({
  kinds,
  tags,
  queues,
});

/** Makes jobs ready whose time has come. */
const promote = (app: Application, at: number): void => {
  const promoted = app.tables.jobs.promote(at, controlLimits.promotedPerClaim);
  // There may be more: the next claim looks at once.
  if (promoted === controlLimits.promotedPerClaim) noteRunAt(app.effects, at);
};

type AbleClaim = ClaimCommand & { readonly ability: Ability };

/**
 * Takes jobs into `rows` until it is full, or their inputs are so long that the answer would take too much of the leases.
 *
 * @returns whether it was the inputs
 */
const takeReady = (app: Application, command: AbleClaim, rows: JobRow[]): boolean => {
  const { ability, at } = command;
  let inputChars = 0;
  let isCut = false;
  const opensAt = pick(
    app,
    {
      ability,
      at,
      take: (row) => {
        inputChars += row.content.input?.length ?? 0;
        isCut = inputChars > controlLimits.claimInputCharsMax && rows.length > 0;
        // What it leaves is told as if it were new: an answer that is not full would say that nothing is left.
        if (isCut) noteReady(app.effects, app.tables.lanes.get(row.lane));
        else rows.push(take(app, row, command));
        return !isCut;
      },
    },
    command.capacity - rows.length,
  );
  if (opensAt !== null) noteRunAt(app.effects, opensAt);
  if (!isCut && rows.length < command.capacity) noteLook(app, at);
  return isCut;
};

const readySuspect = (app: Application, { worker, at, ability }: AbleClaim): readonly JobRow[] => {
  const suspect = firstSuspect(app, { ability, at, durable: true });
  return suspect === undefined || app.tables.jobs.holdsSuspect(worker, at - controlLimits.suspectRunMs)
    ? []
    : [suspect];
};

/** The first suspect that may be claimed as any other job: by its class, and by what its limits leave. */
const firstSuspect = (
  app: Application,
  { ability, at, durable }: { readonly ability: Ability; readonly at: number; readonly durable: boolean },
): JobRow | undefined => {
  const { jobs, lanes } = app.tables;
  const fitting = jobs.suspectLanes(durable, at, controlLimits.suspectsRead).filter((id) => {
    const lane = lanes.get(id);
    return canServe(ability, lane) && flowRoom(app, lane.flow, at) > 0;
  });
  return fitting.length === 0 ? undefined : jobs.firstSuspect(durable, at, fitting);
};

const noteLook = (app: Application, at: number): void => {
  const runAt = app.tables.jobs.nextRunAt(at);
  if (runAt !== null) noteRunAt(app.effects, runAt);
  if (app.tables.jobs.suspectLanes(true, at, 1).length > 0) noteRunAt(app.effects, at + controlLimits.suspectWaitMs);
};

/** Gives one payload job to a worker that reports without an epoch. */
export const claimBare = (app: Application, command: ClaimBareCommand): ReplyTo<'claim-bare'> => {
  demandAllowed(app, command.worker);
  const { at } = command;
  promote(app, at);
  let taken: JobRow | null = null;
  const claimRow = (row: JobRow): boolean => {
    taken = take(app, row, command);
    return true;
  };
  const ability = abilityOf(command, ['payload']);
  pick(app, { ability, at, take: claimRow }, 1);
  const suspect = taken === null ? firstSuspect(app, { ability, at, durable: false }) : undefined;
  if (suspect !== undefined) {
    countClaims(app, app.tables.lanes.get(suspect.lane).flow, { at, count: 1 });
    claimRow(suspect);
  }
  return { type: 'claim-bare', row: taken };
};

const take = (app: Application, row: JobRow, command: ClaimCommand | ClaimBareCommand): JobRow => {
  const incarnation = command.type === 'claim' ? command.incarnation : null;
  const { worker, at } = command;
  const saved = commit(app, { before: row, next: claimed(row, { worker, incarnation, at }), at });
  if (row.epoch > 0) app.tables.moves.delete(row.number);
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
      options: content.options,
      trace: content.trace,
    },
  };
};
