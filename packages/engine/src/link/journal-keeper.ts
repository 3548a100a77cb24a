import type { FinishOutcome, InboxItem, JournalEntry, MvmError, RunMessage } from '@mvm-ci/protocol';
import type { LeftOutEntries, RunPorts } from '../engine.ts';
import type { Snapshot } from '../guest/guest-state.ts';

/** A journal that the engine reads and writes where it is stored, for one run. */
export interface KeptJournal {
  readonly entries: readonly JournalEntry[];
  /** See `RunRequest.leftOut`. @default nothing is left out */
  readonly leftOut?: LeftOutEntries | undefined;
  /** See `RunRequest.inbox`. */
  readonly inbox: readonly InboxItem[];
  /** A stored state of the guest that fits these entries. @default none */
  readonly snapshot?: Snapshot | undefined;
  readonly ports: RunPorts;
  /** What the store refused, if it did. */
  readonly refusal: MvmError | undefined;
  /**
   * The run is over: nothing more is sent to the store.
   *
   * @returns when all that was sent is answered: the finish that the store accepted, if it did
   */
  settle(): Promise<FinishOutcome | undefined>;
}

/** What a keeper may do to a run. */
export interface KeptRun {
  /** Another run of the same lease has begun: the conversation is over. */
  supersede(): void;
  /** The lease is over: the run is dropped at once, and its holder hears that it was. */
  loseLease(): void;
  /** Fires when the run is wanted no more. */
  readonly signal: AbortSignal;
}

/**
 * Where the runs of one holder find their journals without carrying them over the link: an engine beside the store
 * (option 2).
 */
export interface JournalKeeper {
  /** The module's file, for an engine that asks its `ModuleDesk`. @throws MODULE_NOT_FOUND */
  module(hash: string): Promise<Uint8Array>;
  /**
   * Opens the journal of a run. There is one run per job: an earlier one is superseded, and all of it is settled, before this
   * resolves.
   *
   * @throws STALE_LEASE when the lease isn't the holder's, or the run's signal fires; JOURNAL_CORRUPT
   */
  open(request: RunMessage, run: KeptRun): Promise<KeptJournal>;
}
