/**
 * What workers and the control plane say to each other (`/peer/…`). The lease protocol behind it is specified in
 * `docs/internals/leases.md`; bodies are MessagePack by default, JSON on request (`wire.ts`).
 */
import { z } from 'zod';
import { bytesSchema } from '../wire.ts';
import { hashBytes } from '../hash.ts';
import { idSchema, type JobProgress } from '../job.ts';
import { traceContextSchema, type TraceContext } from '../trace.ts';
import { limits } from '../limits.ts';
import { nodeRoles, type NodeRole } from './node.ts';
import type { JournalBatch } from '../journal/batch.ts';
import { storedSnapshotSchema, type StoredSnapshot } from '../journal/snapshot.ts';
import type { ErrorRecord } from '../error.ts';
import { errorRecordSchema } from './error-record.ts';
import { inboxItemSchema, internalEffectsSchema, type InboxItem, type InternalEffect } from './inbox.ts';

/** First request of a worker process on a connection. */
export interface JoinRequest {
  /** The oldest version of the peer protocol that the process speaks: a release that knows one alone looks at no more. */
  readonly protocol: number;
  /** The newest one. @default `protocol` */
  readonly protocolNewest?: number | undefined;
  /** Join token of the ticket. A node that joined before is known by its proven node id and may leave it out. */
  readonly token?: string | undefined;
  /** The cluster that the ticket is for: another one refuses the node. */
  readonly cluster?: string | undefined;
  /** Made at the start of the process: a restarted worker is another one, though its key is the same. */
  readonly incarnation: string;
  /** For people. @default the node id's first ten digits */
  readonly name?: string | undefined;
  /** Roles of use to the process: a ticket of another one is refused, and none of its uses counted. @default any */
  readonly roles?: readonly NodeRole[] | undefined;
}

/** How the control plane wants to be spoken to. */
export interface JoinAnswer {
  readonly node: string;
  readonly cluster: string;
  /** What the node may do. @default 'worker' */
  readonly role?: NodeRole | undefined;
  /** A lease runs out this long after the last claim or heartbeat that named it. */
  readonly leaseMs: number;
  /** How often a worker that holds jobs sends a heartbeat. */
  readonly heartbeatMs: number;
  /** How often a worker that holds none does. */
  readonly idleHeartbeatMs: number;
  /** The version of the peer protocol that both speak from now on. @default 1 */
  readonly protocol?: number | undefined;
}

/** Last request of a worker process that ends in order: nothing of it runs any more. */
export interface LeaveRequest {
  readonly incarnation: string;
  /**
   * It has ended or given back every job that it heard of: what it still holds was in an answer that it didn't wait for, and goes
   * to others at once. @default false: each lease runs out by itself
   */
  readonly empty?: boolean | undefined;
  /** Only for an operator who speaks for a worker. */
  readonly worker?: string | undefined;
}

/** Asks for up to `capacity` jobs, waiting up to `waitMs` for the first one. */
export interface ClaimRequest {
  readonly incarnation: string;
  readonly capacity: number;
  /** @default 0 */
  readonly waitMs?: number | undefined;
  /** Only for an operator who claims over HTTP: the name to hold the lease under. Peers are known by their node id. */
  readonly worker?: string | undefined;
  /** What the worker has, beside the tags of its ticket. @default nothing */
  readonly tags?: readonly string[] | undefined;
  /** Only jobs of these queues. @default of all */
  readonly queues?: readonly string[] | undefined;
  /** Handlers that it has: it gets their jobs, and no workflows. @default it runs workflows */
  readonly handlers?: readonly string[] | undefined;
  /** Modules that it has at hand: a job of theirs goes to it rather than to another worker that waits. @default none */
  readonly modules?: readonly string[] | undefined;
  /** Whether it takes errands (`errand.ts`) when it is idle. @default true */
  readonly errands?: boolean | undefined;
}

/** A job that the worker now holds. */
export interface ClaimedJob {
  readonly job: string;
  readonly epoch: number;
  readonly attempt: number;
  /** Module hash, hex; '' for the job of a handler. */
  readonly module: string;
  /** The workflow in the module, or the handler. */
  readonly workflow: string;
  /** JSON text. */
  readonly input: string;
  /** Entries that the attempt's journal holds already; above 0 the journal must be fetched and replayed. */
  readonly journalEntries: number;
  /** What the holder's span of this lease is below. @default the job is not traced */
  readonly trace?: TraceContext | undefined;
}

/** Asks a worker to take no more jobs, to finish or give back those that it holds, and to end. */
export interface DrainOrder {
  /** What the jobs that it holds get. @default the worker's own setting */
  readonly graceMs?: number | undefined;
}

export interface ClaimAnswer {
  readonly jobs: readonly ClaimedJob[];
  /** Lease of these jobs, from the moment the request was sent. */
  readonly leaseMs: number;
  /** Whether errands wait for an idle worker (`errand.ts`). @default false */
  readonly errands?: boolean | undefined;
  /** @default go on */
  readonly drain?: DrainOrder | undefined;
}

/** A lease, named. */
export interface LeaseRef {
  readonly job: string;
  readonly epoch: number;
}

/** Extends the named leases, and only those. */
export interface HeartbeatRequest {
  readonly incarnation: string;
  readonly held: readonly LeaseRef[];
  readonly worker?: string | undefined;
}

export interface HeartbeatAnswer {
  /** Leases that are no longer the sender's: drop these jobs. */
  readonly lost: readonly LeaseRef[];
  /** Held jobs that somebody wants cancelled. */
  readonly cancel: readonly (LeaseRef & { readonly reason: string })[];
  /** Jobs to be given back once they are at rest, as they are to go on elsewhere. @default none */
  readonly giveBack?: readonly LeaseRef[] | undefined;
  /** @default go on */
  readonly drain?: DrainOrder | undefined;
  /** Whether questions to workflows wait for a worker, be it busy (`errand.ts`). @default false */
  readonly queries?: boolean | undefined;
}

/** Adds a batch to a journal; sending the same batch again is answered as the first time (I3). */
export interface AppendItem extends LeaseRef, JournalBatch {
  readonly attempt: number;
  readonly progress?: JobProgress | undefined;
  /** Applied in the same transaction (I7). */
  readonly internal?: readonly InternalEffect[] | undefined;
}

export interface AppendRequest {
  readonly appends: readonly AppendItem[];
  readonly worker?: string | undefined;
}

/** How a worker ends its hold on a job. */
export type FinishOutcome =
  /** `result` is JSON text. */
  | { readonly type: 'completed'; readonly result: string }
  /** Ends the attempt; with `retryable` and attempts left the job runs again after `retryAfterMs`, or else its backoff. */
  | {
      readonly type: 'failed';
      readonly error: ErrorRecord;
      readonly retryable: boolean;
      readonly retryAfterMs?: number | undefined;
    }
  | { readonly type: 'cancelled' }
  /** Gives the job back, to be continued elsewhere at once. */
  | { readonly type: 'released' }
  /**
   * Nothing can happen before `wakeAt` (Unix ms, null: never by itself) or an inbox item with a number above `seen`: the
   * job waits and holds no slot. With such an item in the inbox already, it goes on at once.
   */
  | { readonly type: 'suspended'; readonly wakeAt: number | null; readonly seen: number };

/** Ends a lease; `append` is applied in the same transaction (I7). */
export interface FinishItem extends LeaseRef {
  readonly attempt: number;
  readonly append?:
    | (JournalBatch & {
        readonly progress?: JobProgress | undefined;
        readonly internal?: readonly InternalEffect[] | undefined;
      })
    | undefined;
  readonly outcome: FinishOutcome;
}

export interface FinishRequest {
  readonly finishes: readonly FinishItem[];
  readonly worker?: string | undefined;
}

/** One answer per item, in order. `refused`: inbox items that tell which internal effects of this append were refused. */
export type ItemAnswer =
  | { readonly ok: true; readonly refused?: readonly InboxItem[] | undefined }
  | { readonly ok: false; readonly error: ErrorRecord };

export interface ItemsAnswer {
  readonly results: readonly ItemAnswer[];
}

/** What `GET /peer/journal/{job}` is asked for. */
export interface JournalRequest extends LeaseRef {
  /** Of a snapshot with a head only the batches from its last entry on. @default all batches */
  readonly tail?: boolean | undefined;
}

/** Answer of `GET /peer/journal/{job}?epoch=N`: the current attempt's journal. */
export interface JournalAnswer {
  readonly attempt: number;
  readonly batches: readonly JournalBatch[];
  /** The hash of the batch before these, which are a tail. @default they begin with the first entry */
  readonly previous?: Uint8Array | undefined;
  /** What waits in the job's inbox; at most `inboxPageItems` of it. @default none */
  readonly inbox?: readonly InboxItem[] | undefined;
  /** The attempts before, oldest first, for the job of a handler: what they finished is not done again. @default none */
  readonly earlier?: readonly { readonly attempt: number; readonly batches: readonly JournalBatch[] }[] | undefined;
  /** A state of the attempt's guest, as a holder had it stored; not checked yet. @default none */
  readonly snapshot?: StoredSnapshot | undefined;
}

/** Body of `POST /peer/snapshot`: keeps a state of a held job's guest, in place of the one before. */
export interface SnapshotRequest extends LeaseRef {
  readonly attempt: number;
  readonly snapshot: StoredSnapshot;
  readonly worker?: string | undefined;
}

/** Its answer: how many entries are behind the one that is stored now. */
export interface SnapshotAnswer {
  readonly entries: number;
}

/** Answer of `GET /queue/journal-batches/{job}`: a part of an attempt's journal as it is stored. */
export interface JournalBatches {
  readonly attempt: number;
  /** Hash of the module that the attempt runs with; null for one that is over: the one that its first entry names. */
  readonly module: string | null;
  readonly batches: readonly JournalBatch[];
  /** The `from` of the next part; null at the end. */
  readonly next: number | null;
}

const count = z.number().int().nonnegative();
const positive = z.number().int().positive();
const worker = idSchema.optional();
const lease = { job: idSchema, epoch: positive };
/** How far a job is. */
export const progressSchema: z.ZodType<JobProgress | undefined> = z
  .object({ percent: z.number().min(0).max(100), text: z.string().max(limits.textCharsMax) })
  .optional();
const batch = {
  firstSeq: count,
  count: positive,
  bytes: bytesSchema,
  hash: bytesSchema.refine((hash) => hash.length === hashBytes, `a hash has ${hashBytes} bytes`),
};

/** Checks a {@link JournalBatch}. */
export const batchSchema: z.ZodType<JournalBatch> = z.object(batch);

export const joinRequestSchema: z.ZodType<JoinRequest> = z.object({
  protocol: positive,
  protocolNewest: positive.optional(),
  token: z.string().max(limits.idCharsMax).optional(),
  cluster: z.string().max(limits.idCharsMax).optional(),
  incarnation: idSchema,
  name: idSchema.optional(),
  roles: z.array(z.enum(nodeRoles)).min(1).max(nodeRoles.length).optional(),
});

export const claimRequestSchema: z.ZodType<ClaimRequest> = z.object({
  incarnation: idSchema,
  capacity: positive.max(limits.claimJobsMax),
  waitMs: count.max(limits.waitMsMax).optional(),
  worker,
  tags: z.array(idSchema).max(limits.tagsMax).optional(),
  queues: z.array(idSchema).min(1).max(limits.claimQueuesMax).optional(),
  handlers: z.array(idSchema).min(1).max(limits.claimHandlersMax).optional(),
  modules: z.array(z.string().max(limits.idCharsMax)).max(limits.claimModulesMax).optional(),
  errands: z.boolean().optional(),
});

export const heartbeatRequestSchema: z.ZodType<HeartbeatRequest> = z.object({
  incarnation: idSchema,
  held: z.array(z.object(lease)).max(limits.heartbeatLeasesMax),
  worker,
});

export const appendRequestSchema: z.ZodType<AppendRequest> = z.object({
  appends: z
    .array(
      z.object({ ...lease, ...batch, attempt: positive, progress: progressSchema, internal: internalEffectsSchema }),
    )
    .min(1)
    .max(limits.appendsMax),
  worker,
});

/** How a hold on a job ends. */
export const finishOutcomeSchema: z.ZodType<FinishOutcome> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('completed'), result: z.string() }),
  z.object({
    type: z.literal('failed'),
    error: errorRecordSchema,
    retryable: z.boolean(),
    retryAfterMs: z.number().int().min(0).max(limits.durationMsMax).optional(),
  }),
  z.object({ type: z.literal('cancelled') }),
  z.object({ type: z.literal('released') }),
  z.object({ type: z.literal('suspended'), wakeAt: count.nullable(), seen: count }),
]);

export const finishRequestSchema: z.ZodType<FinishRequest> = z.object({
  finishes: z
    .array(
      z.object({
        ...lease,
        attempt: positive,
        append: z.object({ ...batch, progress: progressSchema, internal: internalEffectsSchema }).optional(),
        outcome: finishOutcomeSchema,
      }),
    )
    .min(1)
    .max(limits.appendsMax),
  worker,
});

export const joinAnswerSchema: z.ZodType<JoinAnswer> = z.object({
  node: z.string(),
  cluster: z.string(),
  role: z.enum(nodeRoles).optional(),
  leaseMs: positive,
  heartbeatMs: positive,
  idleHeartbeatMs: positive,
  protocol: positive.optional(),
});

export const leaveRequestSchema: z.ZodType<LeaveRequest> = z.object({
  incarnation: idSchema,
  empty: z.boolean().optional(),
  worker,
});

/** Nothing is said to one that leaves. */
export const leaveAnswerSchema: z.ZodType<object> = z.object({});

const drainOrderSchema: z.ZodType<DrainOrder> = z.object({ graceMs: z.number().int().nonnegative().optional() });

export const claimAnswerSchema: z.ZodType<ClaimAnswer> = z.object({
  jobs: z.array(
    z.object({
      ...lease,
      attempt: positive,
      module: z.string(),
      workflow: z.string(),
      input: z.string(),
      journalEntries: count,
      trace: traceContextSchema.optional(),
    }),
  ),
  leaseMs: positive,
  errands: z.boolean().optional(),
  drain: drainOrderSchema.optional(),
});

export const heartbeatAnswerSchema: z.ZodType<HeartbeatAnswer> = z.object({
  lost: z.array(z.object(lease)),
  cancel: z.array(z.object({ ...lease, reason: z.string() })),
  giveBack: z.array(z.object(lease)).optional(),
  drain: drainOrderSchema.optional(),
  queries: z.boolean().optional(),
});

export const itemsAnswerSchema: z.ZodType<ItemsAnswer> = z.object({
  results: z.array(
    z.discriminatedUnion('ok', [
      z.object({ ok: z.literal(true), refused: z.array(inboxItemSchema).optional() }),
      z.object({ ok: z.literal(false), error: errorRecordSchema }),
    ]),
  ),
});

/** Checks {@link JournalBatches}. */
export const journalBatchesSchema: z.ZodType<JournalBatches> = z.object({
  attempt: positive,
  module: z.string().nullable(),
  batches: z.array(z.object(batch)),
  next: count.nullable(),
});

export const journalAnswerSchema: z.ZodType<JournalAnswer> = z.object({
  attempt: positive,
  batches: z.array(z.object(batch)),
  previous: bytesSchema.optional(),
  inbox: z.array(inboxItemSchema).optional(),
  earlier: z.array(z.object({ attempt: positive, batches: z.array(z.object(batch)) })).optional(),
  // What can't be read is as good as none.
  snapshot: storedSnapshotSchema.optional().catch(undefined),
});

export const snapshotRequestSchema: z.ZodType<SnapshotRequest> = z.object({
  ...lease,
  attempt: positive,
  snapshot: storedSnapshotSchema,
  worker,
});

export const snapshotAnswerSchema: z.ZodType<SnapshotAnswer> = z.object({ entries: positive });
