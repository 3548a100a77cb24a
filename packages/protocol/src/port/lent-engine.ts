/**
 * An engine that a control plane lends to its workers (option 2), as a port: the control plane gives it what it needs, and
 * whoever starts the process puts both together.
 */
import type { Errand, ErrandRequest } from '../api/errand.ts';
import type { InboxAnswer, InboxRequest } from '../api/inbox.ts';
import type {
  AppendItem,
  FinishItem,
  ItemAnswer,
  JournalAnswer,
  JournalBatches,
  LeaseRef,
  SnapshotAnswer,
  JournalRequest,
  SnapshotRequest,
} from '../api/peer.ts';
import type { AcceptConversation } from './conversation.ts';

/** Errands that wait for somebody. */
export interface ErrandSource {
  /** As `POST /peer/errand`. */
  errand(request: ErrandRequest): Errand | null;
  /** The next part of the journal of an errand that was taken. @throws INVALID_TRANSITION when nobody waits for it any more */
  part(errand: string, from: number): Promise<JournalBatches>;
}

/** What a lent engine needs of the control plane. `worker` is the node that holds the lease. */
export interface LenderCore {
  /** A module's file. @throws MODULE_NOT_FOUND */
  module(hash: string): Promise<Uint8Array>;
  /** The journal of the attempt that the lease is for. @throws STALE_LEASE */
  journal(worker: string, request: JournalRequest): Promise<JournalAnswer>;
  /**
   * Waits up to `waitMs` for items of the job's inbox above `after`.
   *
   * @throws STALE_LEASE @default nothing ever arrives
   */
  inbox?(worker: string, request: InboxRequest, signal: AbortSignal): Promise<InboxAnswer>;
  /** Keeps a state of a held job's guest. @throws STALE_LEASE @default none is kept */
  snapshot?(worker: string, request: SnapshotRequest): Promise<SnapshotAnswer>;
  /** One answer per item. */
  append(worker: string, appends: readonly AppendItem[]): Promise<readonly ItemAnswer[]>;
  /** One answer per item. */
  finish(worker: string, finishes: readonly FinishItem[]): Promise<readonly ItemAnswer[]>;
  /** @default there are none */
  readonly errands?: ErrandSource;
  /** Time to the lease's deadline, in ms, 0 when it has passed; undefined when the worker doesn't hold it. */
  leaseLeftMs(worker: string, lease: LeaseRef): number | undefined;
}

/** A lent engine. */
export interface LentEngine {
  /** Takes the runs of one worker, whose node id its connection has proven. */
  accept(node: string): AcceptConversation;
  /** This lease is over: what runs under it is dropped at once, unless its finish is on the way. */
  leaseOver(lease: LeaseRef): void;
  /** Questions to workflows wait that no worker has taken. @default they are left to the workers */
  errandsWait?(): void;
  /** The store goes: nothing more is sent there, and nothing waits for it. Idempotent. */
  stop(): void;
}

/** Begins to lend an engine. */
export type LendEngine = (core: LenderCore) => LentEngine;
