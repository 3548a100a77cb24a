/**
 * Commands: every way in which the control plane's state can change (I1). A command carries all that its effect depends
 * on, time (`at`, Unix ms), ids and randomness included, so that the same commands in the same order give the same state.
 */
import type {
  AppendItem,
  Backoff,
  FinishItem,
  JobState,
  ModuleKind,
  NodeRole,
  OverlapPolicy,
  QueueChange,
  RepinJob,
  StoredSnapshot,
} from '@mvm-ci/protocol';

/** A job to store. The hash covers all that makes two publishes of one id "the same" (`content-hash.ts`). */
export interface PublishItem {
  readonly id: string;
  /** As the publisher wrote it; null for a payload job. */
  readonly reference: string | null;
  /** Input or payload as JSON text. */
  readonly input: string;
  readonly attemptsMax: number;
  readonly backoff: Backoff;
  /** How it is queued (`JobOptions`), as text. @default as by default */
  readonly options?: string | null | undefined;
  /** The trace that it is published in, as text (`traceText`); not a part of what makes two publishes the same. @default none */
  readonly trace?: string | null | undefined;
  readonly hash: Uint8Array;
}

/** Stores all of `jobs`, or none of them. */
export interface PublishCommand {
  readonly type: 'publish';
  readonly at: number;
  readonly jobs: readonly PublishItem[];
  readonly pendingJobsMax: number;
}

export interface ClaimCommand {
  readonly type: 'claim';
  readonly at: number;
  readonly worker: string;
  readonly incarnation: string;
  readonly capacity: number;
  /** Kinds of jobs that it runs. @default workflows */
  readonly kinds?: readonly string[] | undefined;
  /** What it has. @default nothing */
  readonly tags?: readonly string[] | undefined;
  /** @default all */
  readonly queues?: readonly string[] | null | undefined;
}

/** Claims one payload job, as the seed's workers do. */
export interface ClaimBareCommand {
  readonly type: 'claim-bare';
  readonly at: number;
  readonly worker: string;
  /** What it has. @default nothing */
  readonly tags?: readonly string[] | undefined;
  /** @default all */
  readonly queues?: readonly string[] | null | undefined;
}

/** The lease ran out. */
export interface ExpireCommand {
  readonly type: 'expire';
  readonly at: number;
  readonly leases: readonly { readonly job: string; readonly epoch: number }[];
}

export interface AppendCommand {
  readonly type: 'append';
  readonly at: number;
  readonly worker: string;
  readonly appends: readonly AppendItem[];
  /** For the children that they start. @default no limit */
  readonly pendingJobsMax?: number | undefined;
}

/** A finish with the hash of its outcome, by which a repeated one is known. */
export interface HashedFinish extends FinishItem {
  readonly outcomeHash: Uint8Array;
}

/** Keeps a state of a held job's guest, in place of the one before. */
export interface KeepSnapshotCommand {
  readonly type: 'keep-snapshot';
  readonly at: number;
  readonly worker: string;
  readonly job: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly snapshot: StoredSnapshot;
}

export interface FinishCommand {
  readonly type: 'finish';
  readonly at: number;
  readonly worker: string;
  readonly finishes: readonly HashedFinish[];
  /** 0–1; spreads the retries of jobs that failed together. */
  readonly jitter: number;
  /** For the children that they start. @default no limit */
  readonly pendingJobsMax?: number | undefined;
}

/** What a bare claim's holder says about its job. `worker` null: an operator, who may speak for any bare claim. */
export interface ReportCommand {
  readonly type: 'report';
  readonly at: number;
  readonly job: string;
  readonly worker: string | null;
  readonly status: JobState;
  /** JSON text. */
  readonly result: string | null;
  readonly error: string | null;
  readonly outcomeHash: Uint8Array;
  readonly jitter: number;
}

export interface CancelCommand {
  readonly type: 'cancel';
  readonly at: number;
  readonly job: string;
  readonly reason: string;
  /** How long its holder has to end it; then it is cancelled all the same. Null: as long as it takes. @default null */
  readonly graceMs?: number | null | undefined;
}

/** Asks a job's holder to give it back, for `worker` to go on with it. */
export interface MoveCommand {
  readonly type: 'move';
  readonly at: number;
  readonly job: string;
  readonly worker: string;
}

/** Does what deadlines that have passed demand. */
export interface ExpireDeadlinesCommand {
  readonly type: 'expire-deadlines';
  readonly at: number;
  /** 0–1; spreads the retries of jobs that failed together. */
  readonly jitter: number;
}

/** Changes what is set for a queue; null takes a setting back. */
export interface SetQueueCommand {
  readonly type: 'set-queue';
  readonly at: number;
  readonly queue: string;
  readonly change: QueueChange;
}

/** Sets a schedule, or replaces what was set. */
export interface SetScheduleCommand {
  readonly type: 'set-schedule';
  readonly at: number;
  readonly name: string;
  /** `ScheduleSpec`, JSON text. */
  readonly spec: string;
  /** Null: it is paused, or no time is left. */
  readonly nextAt: number | null;
  /** A time that has come: it stays the next one if it still is. @default none */
  readonly dueAt?: number | null | undefined;
  readonly schedulesMax: number;
}

export interface DeleteScheduleCommand {
  readonly type: 'delete-schedule';
  readonly at: number;
  readonly name: string;
}

/** The time `scheduledFor` has come; does nothing unless that is the schedule's next one. */
export interface FireScheduleCommand {
  readonly type: 'fire-schedule';
  readonly at: number;
  readonly name: string;
  readonly scheduledFor: number;
  readonly nextAt: number | null;
  /** Null: the time was missed, and is passed over. */
  readonly job: PublishItem | null;
  readonly overlap: OverlapPolicy;
  readonly pendingJobsMax: number;
}

/** Sets a webhook, or replaces one. */
export interface SetWebhookCommand {
  readonly type: 'set-webhook';
  readonly at: number;
  readonly name: string;
  /** `WebhookSpec`, JSON text. */
  readonly spec: string;
  readonly webhooksMax: number;
}

export interface DeleteWebhookCommand {
  readonly type: 'delete-webhook';
  readonly at: number;
  readonly name: string;
}

/** A webhook was told of changes up to `change`; of `dropped` it could not be told. */
export interface AdvanceWebhookCommand {
  readonly type: 'advance-webhook';
  readonly at: number;
  readonly name: string;
  readonly change: number;
  readonly dropped: number;
  readonly error: string | null;
}

/** Forgets jobs that are over. */
export interface PruneCommand {
  readonly type: 'prune';
  readonly at: number;
  readonly jobs: readonly string[];
}

/** Tries jobs that failed or were cancelled again; those that are not over, or completed, are left alone. */
export interface RetryCommand {
  readonly type: 'retry';
  readonly at: number;
  readonly jobs: readonly string[];
}

/** Puts a message from outside into a job's inbox; `id` null: it can't be told from another one like it. */
export interface SendMessageCommand {
  readonly type: 'send-message';
  readonly at: number;
  readonly job: string;
  readonly id: string | null;
  readonly messageType: string;
  /** JSON text. */
  readonly data: string;
}

export interface DeployCommand {
  readonly type: 'deploy';
  readonly at: number;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly kind: ModuleKind;
  readonly runtime: string;
  readonly workflows: readonly string[];
  readonly file: Uint8Array;
}

/** Packs the journals of jobs that have been over since `before`, the next `jobsMax` jobs in the order of their changes. */
export interface CompactCommand {
  readonly type: 'compact';
  readonly at: number;
  readonly before: number;
  readonly jobsMax: number;
}

/** Lets jobs go on with the deployment `name@version`, as far as they are where the sender has replayed them to. */
export interface RepinCommand {
  readonly type: 'repin';
  readonly at: number;
  readonly name: string;
  readonly version: string;
  readonly jobs: readonly RepinJob[];
}

/** A node asks to be let in: by the hash of a ticket's token, or because it was let in before. */
export interface JoinCommand {
  readonly type: 'join';
  readonly at: number;
  readonly node: string;
  readonly name: string;
  readonly tokenHash: Uint8Array | null;
  /** Roles that are of use to the node; any when left out. */
  readonly roles?: readonly NodeRole[] | undefined;
  readonly nodesMax: number;
}

/** Makes a ticket; the same token again changes nothing. */
export interface CreateTicketCommand {
  readonly type: 'create-ticket';
  readonly at: number;
  readonly id: string;
  /** SHA-256 of the token. */
  readonly hash: Uint8Array;
  readonly name: string | null;
  readonly role: NodeRole;
  readonly tags: readonly string[];
  /** Null: any number of nodes. */
  readonly usesMax: number | null;
  /** Null: never. */
  readonly expiresAt: number | null;
  readonly ticketsMax: number;
}

export interface RevokeTicketCommand {
  readonly type: 'revoke-ticket';
  readonly at: number;
  readonly id: string;
}

/** Shuts a node out, and ends its leases. */
export interface BanNodeCommand {
  readonly type: 'ban-node';
  readonly at: number;
  readonly node: string;
  readonly reason: string;
}

/** A worker process has ended that began none of the jobs which it still holds. */
export interface LeaveCommand {
  readonly type: 'leave';
  readonly at: number;
  readonly worker: string;
  readonly incarnation: string;
}

export interface AllowNodeCommand {
  readonly type: 'allow-node';
  readonly at: number;
  readonly node: string;
}

/** Gives a node a name that its own joins don't change. */
export interface RenameNodeCommand {
  readonly type: 'rename-node';
  readonly at: number;
  readonly node: string;
  readonly name: string;
}

/** When nodes were last seen; sent rarely, for many nodes at once. */
export interface TouchNodesCommand {
  readonly type: 'touch-nodes';
  readonly at: number;
  readonly nodes: readonly { readonly node: string; readonly seenAt: number }[];
}

/** Names the cluster, once: later ones are answered with the first one's name. */
export interface FoundCommand {
  readonly type: 'found';
  readonly at: number;
  readonly cluster: string;
}

/** Keeps a blob whose file is there, or has a job refer to one that is kept. */
export interface KeepBlobCommand {
  readonly type: 'keep-blob';
  readonly at: number;
  readonly hash: string;
  /** Null: it is kept already. */
  readonly bytes: number | null;
  /** Null: no job refers to it yet. */
  readonly job: string | null;
  /** Who holds the job; null: whoever does. */
  readonly worker: string | null;
}

/** Forgets blobs that were kept before a time and that no job refers to. */
export interface DropBlobsCommand {
  readonly type: 'drop-blobs';
  readonly at: number;
  readonly before: number;
  readonly limit: number;
}

/** Changes of who belongs to the cluster. */
export type MembershipCommand =
  | JoinCommand
  | CreateTicketCommand
  | RevokeTicketCommand
  | BanNodeCommand
  | LeaveCommand
  | AllowNodeCommand
  | RenameNodeCommand
  | TouchNodesCommand
  | FoundCommand;

/** What operators, and the control plane itself, do to jobs and queues. */
export type UpkeepCommand =
  | CancelCommand
  | ExpireDeadlinesCommand
  | SetQueueCommand
  | RetryCommand
  | SetScheduleCommand
  | DeleteScheduleCommand
  | FireScheduleCommand
  | PruneCommand
  | SetWebhookCommand
  | DeleteWebhookCommand
  | AdvanceWebhookCommand
  | CompactCommand;

/** Changes of what jobs are made of and refer to. */
export type ContentCommand = DeployCommand | RepinCommand | KeepBlobCommand | DropBlobsCommand;

/** Any change of state. */
export type Command =
  | PublishCommand
  | ClaimCommand
  | ClaimBareCommand
  | ExpireCommand
  | AppendCommand
  | KeepSnapshotCommand
  | FinishCommand
  | ReportCommand
  | SendMessageCommand
  | MoveCommand
  | UpkeepCommand
  | ContentCommand
  | MembershipCommand;
