/**
 * Commands: every way in which the control plane's state can change (I1). A command carries all that its effect depends
 * on, time (`at`, Unix ms), ids and randomness included, so that the same commands in the same order give the same state.
 */
import type { AppendItem, Backoff, FinishItem, JobState, ModuleKind, NodeRole, RepinJob } from '@mvm-ci/protocol';

/** A job to store. The hash covers all that makes two publishes of one id "the same" (`content-hash.ts`). */
export interface PublishItem {
  readonly id: string;
  /** As the publisher wrote it; null for a payload job. */
  readonly reference: string | null;
  /** Input or payload as JSON text. */
  readonly input: string;
  readonly attemptsMax: number;
  readonly backoff: Backoff;
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
}

/** Claims one payload job, as the seed's workers do. */
export interface ClaimBareCommand {
  readonly type: 'claim-bare';
  readonly at: number;
  readonly worker: string;
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

/** Changes of who belongs to the cluster. */
export type MembershipCommand =
  | JoinCommand
  | CreateTicketCommand
  | RevokeTicketCommand
  | BanNodeCommand
  | AllowNodeCommand
  | RenameNodeCommand
  | TouchNodesCommand
  | FoundCommand;

/** Any change of state. */
export type Command =
  | PublishCommand
  | ClaimCommand
  | ClaimBareCommand
  | ExpireCommand
  | AppendCommand
  | FinishCommand
  | ReportCommand
  | CancelCommand
  | SendMessageCommand
  | DeployCommand
  | RepinCommand
  | CompactCommand
  | MembershipCommand;
