/**
 * What a command means for those who keep time and wait (lease keeper, waiting claims, event streams). Collected while
 * the command is applied, acted upon only after its commit (I2), dropped when it is refused.
 */
import type { JobClass, Lane } from './lane-table.ts';
import { noTally, type Tally } from './tally.ts';

/** A lease that begins, or that a report renews. */
export interface LeaseEffect {
  readonly job: string;
  readonly epoch: number;
  readonly worker: string;
  readonly incarnation: string;
  readonly bare: boolean;
}

/** Jobs of one class that may be claimed now. */
export interface Available extends JobClass {
  /** Those that became so by this command; never too low. */
  readonly count: number;
  /** How many there are after this command, as far as it was counted; null: it was not. */
  readonly left: number | null;
  /** Hash of the module of the last of them that was published; null: none was. */
  readonly module: string | null;
}

/** See the head of this file. */
export interface Effects {
  readonly leases: LeaseEffect[];
  readonly released: { readonly job: string; readonly epoch: number }[];
  readonly cancels: { readonly job: string; readonly epoch: number; readonly reason: string }[];
  /** Leases whose holder is asked to give the job back. */
  readonly moves: { readonly job: string; readonly epoch: number }[];
  /** Workers that a job waits for. */
  readonly called: string[];
  /** Jobs that are over now. */
  readonly finals: string[];
  /** Jobs with a new item in their inbox. */
  readonly inboxes: string[];
  /** Jobs that gave an early response. */
  readonly responses: string[];
  /** Jobs that workers wait for, by the name of their class. */
  readonly available: Map<string, Available>;
  /** Earliest time, Unix ms, at which a workflow job that is pending may be claimed later. */
  runAt: number | null;
  /** The number of the last change. */
  change: number;
  /** A deadline that a job got, the earliest, Unix ms. */
  deadlineAt: number | null;
  readonly tally: Tally;
}

/** None yet. */
export const noEffects = (change: number): Effects => ({
  leases: [],
  released: [],
  cancels: [],
  moves: [],
  called: [],
  finals: [],
  inboxes: [],
  responses: [],
  available: new Map(),
  runAt: null,
  change,
  deadlineAt: null,
  tally: noTally(),
});

/** Notes a deadline that a job has got. */
export const noteDeadline = (effects: Effects, at: number | null): void => {
  if (at !== null) effects.deadlineAt = Math.min(effects.deadlineAt ?? at, at);
};

/** Notes jobs that may be claimed now; `module`: of one that was just published. */
export const noteReady = (
  { available }: Effects,
  lane: Lane,
  { count = 1, module = null }: { readonly count?: number; readonly module?: string | null } = {},
): void => {
  const { className, kind, queue, requires } = lane;
  const known = available.get(className);
  available.set(className, {
    kind,
    queue,
    requires,
    count: (known?.count ?? 0) + count,
    left: known?.left ?? null,
    module: module ?? known?.module ?? null,
  });
};

/** Notes that a job may be claimed from `runAt` on. */
export const noteRunAt = (effects: Effects, runAt: number): void => {
  effects.runAt = Math.min(effects.runAt ?? runAt, runAt);
};

/** Notes how many jobs of a class can be claimed after this command, beside those that were noted before. */
export const noteLeft = ({ available }: Effects, lane: Lane, more: number): void => {
  const { className, kind, queue, requires } = lane;
  const { count = 0, left = 0, module = null } = available.get(className) ?? {};
  available.set(className, { kind, queue, requires, count, left: (left ?? 0) + more, module });
};
