/** What goes into a run's core at its start, and what comes out of it. */
import type {
  FetchIntent,
  FinishOutcome,
  InboxItem,
  InternalEffect,
  JobProgress,
  JournalEntry,
  StartedEntry,
} from '@mvm-ci/protocol';
import type { RunHead } from './run-head.ts';

/** Entries, and what is applied in the transaction that stores them (I7). */
export interface Shipment {
  readonly entries: readonly JournalEntry[];
  /** @default none */
  readonly internal?: readonly InternalEffect[];
  readonly progress?: JobProgress;
}

/** What the shell must do, in order. */
export type RunOutput =
  | ({ readonly type: 'append' } & Shipment)
  /** Bring the guest to the end of the journal: all of `RunCore.stepsFrom` that it hasn't been fed yet. */
  | { readonly type: 'step' }
  /** Start this request, if the lease allows. */
  | { readonly type: 'fetch'; readonly intent: FetchIntent }
  /** Answer this sleep at that Unix time. */
  | { readonly type: 'wake'; readonly call: number; readonly atMs: number }
  /** The call's answer is no longer wanted. */
  | { readonly type: 'abort'; readonly call: number }
  /** Ask for inbox items with a number above `after`, until some are there; `hush`: they are no longer wanted. */
  | { readonly type: 'listen'; readonly after: number }
  | { readonly type: 'hush' }
  /** Say so (`RunCore.rested`) when `ms` have passed without a step. */
  | { readonly type: 'rest'; readonly ms: number }
  | ({ readonly type: 'finish'; readonly outcome: FinishOutcome } & Shipment);

/** What the attempt starts from. */
export interface RunStart extends Omit<StartedEntry, 'kind' | 'at'> {
  /** Stands for the attempt's first entries, which `journal` lacks. @default none */
  readonly head?: RunHead | undefined;
  /** What is recorded of the attempt; only when nothing is are `seed` and `module` written down. */
  readonly journal: readonly JournalEntry[];
  /** What is unread in the job's inbox, lowest number first. */
  readonly inbox: readonly InboxItem[];
  /** See `EngineOptions.suspendAfterMs`. */
  readonly suspendAfterMs: number;
}

/** `shipment` as an output; nothing when it holds no entry. */
export const appendOf = (shipment: Shipment): readonly RunOutput[] =>
  shipment.entries.length > 0 ? [{ type: 'append', ...withoutEmpty(shipment) }] : [];

/**
 * Two shipments in their order: as one, unless the first has effects inside the system. Those are applied with the last
 * entry of their append, which is then the one that asked for them.
 */
export const appendsOf = (first: Shipment, second: Shipment): readonly RunOutput[] =>
  (first.internal ?? []).length > 0
    ? [...appendOf(first), ...appendOf(second)]
    : appendOf({ ...first, ...second, entries: [...first.entries, ...second.entries] });

/** The same for a finish with what is in `second`. */
export const finishOf = (first: Shipment, second: Shipment, outcome: FinishOutcome): readonly RunOutput[] =>
  (first.internal ?? []).length > 0
    ? [...appendOf(first), { type: 'finish', ...withoutEmpty(second), outcome }]
    : [
        {
          type: 'finish',
          ...withoutEmpty({ ...second, entries: [...first.entries, ...second.entries] }),
          outcome,
        },
      ];

const withoutEmpty = ({ entries, internal = [], progress }: Shipment): Shipment => ({
  entries,
  ...(internal.length > 0 && { internal }),
  ...(progress && { progress }),
});
