/** What a command did, counted for the metrics. Collected with its effects, so what is refused counts nothing. */
import { isFinal } from '@mvm-ci/protocol';
import type { JobRecord } from './job-row.ts';
import { isHeld } from './transition.ts';

/** How holding a job ended, or a job that nobody held. */
export type HoldEnd = 'completed' | 'failed' | 'cancelled' | 'retried' | 'suspended' | 'released' | 'lost';

/** See the head of this file. */
export interface Tally {
  published: number;
  /** Leases that were given. */
  claims: number;
  /** Those of jobs with a journal to go on with. */
  resumes: number;
  journalEntries: number;
  journalBytes: number;
  readonly ends: Partial<Record<HoldEnd, number>>;
  /** Of each job that was claimed for the first time, how long it could have run already, in ms. */
  readonly waitsMs: number[];
  /** Of each attempt that is over, the time since it was first claimed, in ms. */
  readonly attemptsMs: number[];
}

/** Nothing yet. */
export const noTally = (): Tally => ({
  published: 0,
  claims: 0,
  resumes: 0,
  journalEntries: 0,
  journalBytes: 0,
  ends: {},
  waitsMs: [],
  attemptsMs: [],
});

/** Counts a transition. */
export const tallyTransition = (
  tally: Tally,
  { before, saved, at }: { readonly before: JobRecord; readonly saved: JobRecord; readonly at: number },
): void => {
  if (saved.epoch > before.epoch) tallyClaim(tally, { before, saved, at });
  if (saved.journalEntries > before.journalEntries) {
    tally.journalEntries += saved.journalEntries - before.journalEntries;
    tally.journalBytes += saved.journalBytes - before.journalBytes;
  }
  for (const end of endsOf(before, saved)) tally.ends[end] = (tally.ends[end] ?? 0) + 1;
  const isAttemptOver = isFinal(saved.state) || saved.attempt > before.attempt;
  if (isAttemptOver && before.attemptAt !== null) tally.attemptsMs.push(Math.max(0, at - before.attemptAt));
};

const tallyClaim = (
  tally: Tally,
  { before, saved, at }: { readonly before: JobRecord; readonly saved: JobRecord; readonly at: number },
): void => {
  tally.claims += 1;
  if (saved.resumes > before.resumes) tally.resumes += 1;
  if (saved.epoch === 1) tally.waitsMs.push(Math.max(0, at - before.runAt));
};

/** A lease that is lost may be the one too many, which ends the job as well. */
const endsOf = (before: JobRecord, saved: JobRecord): readonly HoldEnd[] => {
  const lost = saved.lostLeases > before.lostLeases ? (['lost'] as const) : [];
  if (saved.state === 'completed' || saved.state === 'failed' || saved.state === 'cancelled')
    return before.state === saved.state ? lost : [...lost, saved.state];
  if (lost.length > 0 || !isHeld(before) || isHeld(saved)) return lost;
  if (saved.attempt > before.attempt) return ['retried'];
  return [saved.state === 'waiting' ? 'suspended' : 'released'];
};
