import type {
  AppendRequest,
  ClaimAnswer,
  ClaimRequest,
  ErrandAnswer,
  ErrandRequest,
  FinishRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  InboxAnswer,
  InboxRequest,
  ItemsAnswer,
  JoinAnswer,
  JoinRequest,
  JournalAnswer,
  LeaseRef,
} from '@mvm-ci/protocol';

/** How long to wait for an answer. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** @default workerLimits.requestMs */
  readonly deadlineMs?: number | undefined;
}

/**
 * The control plane as a worker sees it (`docs/internals/leases.md`). Every call rejects with an MvmError; a
 * `RetryLaterError` means that the same call may be made again, whatever became of this one (I3).
 */
export interface ControlPlane {
  join(request: JoinRequest, options: CallOptions): Promise<JoinAnswer>;
  /** Waits for up to `request.waitMs`. @throws NOT_JOINED */
  claim(request: ClaimRequest, options: CallOptions): Promise<ClaimAnswer>;
  heartbeat(request: HeartbeatRequest, options: CallOptions): Promise<HeartbeatAnswer>;
  append(request: AppendRequest, options: CallOptions): Promise<ItemsAnswer>;
  finish(request: FinishRequest, options: CallOptions): Promise<ItemsAnswer>;
  /** The journal of the attempt that the lease is for. @throws STALE_LEASE */
  journal(lease: LeaseRef, options: CallOptions): Promise<JournalAnswer>;
  /** Waits for up to `request.waitMs` for items of a held job's inbox. @throws STALE_LEASE */
  inbox(request: InboxRequest, options: CallOptions): Promise<InboxAnswer>;
  /** Says what came of the last errand, and takes the next. */
  errand(request: ErrandRequest, options: CallOptions): Promise<ErrandAnswer>;
  /** A module's file, not yet checked against its hash. @throws MODULE_NOT_FOUND */
  module(hash: string, options: CallOptions): Promise<Uint8Array>;
}
