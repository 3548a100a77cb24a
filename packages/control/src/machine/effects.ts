/**
 * What a command means for those who keep time and wait (lease keeper, waiting claims, event streams). Collected while
 * the command is applied, acted upon only after its commit (I2), dropped when it is refused.
 */

/** A lease that begins, or that a report renews. */
export interface LeaseEffect {
  readonly job: string;
  readonly epoch: number;
  readonly worker: string;
  readonly incarnation: string;
  readonly bare: boolean;
}

/** See the head of this file. */
export interface Effects {
  readonly leases: LeaseEffect[];
  readonly released: { readonly job: string; readonly epoch: number }[];
  readonly cancels: { readonly job: string; readonly epoch: number; readonly reason: string }[];
  /** Jobs that are over now. */
  readonly finals: string[];
  /** Jobs with a new item in their inbox. */
  readonly inboxes: string[];
  /** Jobs that gave an early response. */
  readonly responses: string[];
  /** Workflow jobs that may be claimed now. */
  available: number;
  /** Earliest time, Unix ms, at which a workflow job that is pending may be claimed later. */
  runAt: number | null;
  /** The number of the last change. */
  change: number;
}

/** None yet. */
export const noEffects = (change: number): Effects => ({
  leases: [],
  released: [],
  cancels: [],
  finals: [],
  inboxes: [],
  responses: [],
  available: 0,
  runAt: null,
  change,
});
