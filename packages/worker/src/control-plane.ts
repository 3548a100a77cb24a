import type {
  AppendRequest,
  BlobPart,
  BlobPartAnswer,
  BlobPartRequest,
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
  JournalBatches,
  JournalRequest,
  LeaveRequest,
  SnapshotAnswer,
  SnapshotRequest,
} from '@mvm-ci/protocol';

/** How long to wait for an answer. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** @default workerLimits.requestMs */
  readonly deadlineMs?: number | undefined;
}

/** A part of an errand's journal. */
interface ErrandPart {
  readonly errand: string;
  /** Number of its first entry. */
  readonly from: number;
}

/**
 * The control plane as a worker sees it (`docs/internals/leases.md`). Every call rejects with an MvmError; a
 * `RetryLaterError` means that the same call may be made again, whatever became of this one (I3).
 */
export interface ControlPlane {
  join(request: JoinRequest, options: CallOptions): Promise<JoinAnswer>;
  /** Says that the process has ended in order. @throws ROUTE_NOT_FOUND at a control plane that speaks version 1 */
  leave(request: LeaveRequest, options: CallOptions): Promise<object>;
  /** Waits for up to `request.waitMs`. @throws NOT_JOINED */
  claim(request: ClaimRequest, options: CallOptions): Promise<ClaimAnswer>;
  heartbeat(request: HeartbeatRequest, options: CallOptions): Promise<HeartbeatAnswer>;
  append(request: AppendRequest, options: CallOptions): Promise<ItemsAnswer>;
  finish(request: FinishRequest, options: CallOptions): Promise<ItemsAnswer>;
  /** The journal of the attempt that the lease is for; a control plane of an earlier release gives all of it. @throws STALE_LEASE */
  journal(request: JournalRequest, options: CallOptions): Promise<JournalAnswer>;
  /** Keeps a state of a held job's guest, in place of the one before. @throws STALE_LEASE */
  snapshot(request: SnapshotRequest, options: CallOptions): Promise<SnapshotAnswer>;
  /** Waits for up to `request.waitMs` for items of a held job's inbox. @throws STALE_LEASE */
  inbox(request: InboxRequest, options: CallOptions): Promise<InboxAnswer>;
  /** Says what came of the last errand, and takes the next. */
  errand(request: ErrandRequest, options: CallOptions): Promise<ErrandAnswer>;
  /** The next part of the journal of an errand that was taken. @throws INVALID_TRANSITION when nobody waits for it any more */
  errandJournal(part: ErrandPart, options: CallOptions): Promise<JournalBatches>;
  /** A module's file, not yet checked against its hash. @throws MODULE_NOT_FOUND */
  module(hash: string, options: CallOptions): Promise<Uint8Array>;
  /** Sends the next part of a blob. @throws STALE_LEASE, BLOB_NOT_FOUND when the upload is not under way any more */
  putBlob(part: BlobPart, options: CallOptions): Promise<BlobPartAnswer>;
  /** Bytes of a blob, up to a whole part. @throws BLOB_NOT_FOUND, STALE_LEASE */
  blob(request: BlobPartRequest, options: CallOptions): Promise<Uint8Array>;
}

/** A control plane, and the end of what leads to it. */
export interface OpenControlPlane {
  readonly controlPlane: ControlPlane;
  close(): Promise<void>;
}
