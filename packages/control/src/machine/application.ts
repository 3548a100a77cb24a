import type { Effects } from './effects.ts';
import { isHeld, neverMs } from './transition.ts';
import type { JobRecord } from './job-row.ts';
import type { Tables } from './tables.ts';
import { isFinal } from '@mvm-ci/protocol';

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
  const saved = app.tables.jobs.save(before, change.next, at);
  if (isHeld(before) && !isHeld(saved)) app.effects.released.push({ job: saved.id, epoch: before.epoch });
  if (isClaimable(saved)) noteAvailable(app.effects, saved.runAt, at);
  if (isFinal(saved.state)) app.effects.finals.push(saved.id);
  if (isFinal(saved.state) || saved.attempt !== before.attempt) noteEnding(app, { before, saved, at });
  return saved;
};

const isClaimable = ({ state, durable, runAt }: JobRecord): boolean =>
  durable && (state === 'pending' || (state === 'waiting' && runAt < neverMs));

/** Only where it means anything to anybody. */
const noteEnding = (
  app: Application,
  { before, saved, at }: { readonly before: JobRecord; readonly saved: JobRecord; readonly at: number },
): void => {
  if (saved.hasChildren || saved.inboxLast > 0 || saved.parent !== null)
    app.endings.push({ job: saved.id, attempt: before.attempt, at });
};

/** Notes a pending workflow job that may run from `runAt` on. */
export const noteAvailable = (effects: Effects, runAt: number, at: number): void => {
  if (runAt <= at) effects.available += 1;
  else effects.runAt = Math.min(effects.runAt ?? runAt, runAt);
};
