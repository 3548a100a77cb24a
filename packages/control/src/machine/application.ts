import { isFinal, optionsOf } from '@mvm-ci/protocol';
import { deadlineOf } from './deadline.ts';
import { noteDeadline, noteReady, noteRunAt, type Effects } from './effects.ts';
import type { JobRecord } from './job-row.ts';
import { noteRoom } from './pick.ts';
import type { Tables } from './tables.ts';
import { tallyTransition } from './tally.ts';
import { isHeld, neverMs } from './transition.ts';

/** What a command is applied to, and where its effects are collected. */
export interface Application {
  readonly tables: Tables;
  readonly effects: Effects;
  /** Attempts that ended in this command, and whose meaning for others is not worked off yet. */
  readonly endings: Ending[];
}

/** An attempt that is over. */
interface Ending {
  readonly job: string;
  readonly attempt: number;
  readonly at: number;
}

/**
 * Writes a job's transition and notes what it means for those who wait: a lease that ended, a job that may be claimed, or
 * that is over.
 */
export const commit = (app: Application, change: { before: JobRecord; next: JobRecord; at: number }): JobRecord => {
  const { before, at } = change;
  const next = withDeadline(app, change);
  const saved = app.tables.jobs.save(before, next, at);
  tallyTransition(app.effects.tally, { before, saved, at });
  if (isHeld(before) && !isHeld(saved)) noteRelease(app, { before, saved, at });
  noteClaimable(app, saved, at);
  if (isFinal(saved.state)) app.effects.finals.push(saved.id);
  const isAttemptOver = isFinal(saved.state) || saved.attempt !== before.attempt;
  if (isAttemptOver && before.journalEntries > 0) forgetRun(app, saved);
  if (isAttemptOver) noteEnding(app, { before, saved, at });
  return saved;
};

/** What is kept for whoever goes on with an attempt. */
const forgetRun = ({ tables }: Application, { number }: JobRecord): void => {
  tables.snapshots.delete(number);
  tables.moves.delete(number);
};

const withDeadline = (app: Application, { before, next }: { before: JobRecord; next: JobRecord }): JobRecord => {
  if (!next.isTimed && next.cancelAt === null && before.deadlineAt === null) return next;
  const { options, createdAt } = app.tables.jobs.content(next);
  const deadlineAt = deadlineOf(next, optionsOf(options), createdAt);
  noteDeadline(app.effects, deadlineAt);
  return { ...next, deadlineAt };
};

interface Saved {
  readonly before: JobRecord;
  readonly saved: JobRecord;
  readonly at: number;
}

const noteRelease = (app: Application, { before, saved, at }: Saved): void => {
  app.effects.released.push({ job: saved.id, epoch: before.epoch });
  const { queue } = app.tables.lanes.get(before.lane);
  if (!app.tables.queues.isPlain(queue)) noteRoom(app, queue, at);
};

const noteClaimable = (app: Application, saved: JobRecord, at: number): void => {
  if (!saved.durable || (saved.state !== 'pending' && saved.state !== 'waiting')) return;
  if (saved.runAt <= at) noteReady(app.effects, app.tables.lanes.get(saved.lane));
  else if (saved.runAt < neverMs) noteRunAt(app.effects, saved.runAt);
};

/** Only where it means anything to anybody. */
const noteEnding = (app: Application, { before, saved, at }: Saved): void => {
  if (saved.hasChildren || saved.inboxLast > 0 || saved.parent !== null || saved.hasDependents)
    app.endings.push({ job: saved.id, attempt: before.attempt, at });
};
