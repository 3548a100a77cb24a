/**
 * What a job's holder and an engine say to each other over a conversation: one run is one conversation, begun by the
 * holder. Order and meaning: `docs/internals/engine-link.md`. Messages are MessagePack maps.
 */
import { z } from 'zod';
import { errandOutcomeSchema, type ErrandOutcome, type ErrandQuery } from '../api/errand.ts';
import { errorRecordSchema } from '../api/error-record.ts';
import { inboxItemSchema, internalEffectsSchema, type InboxItem, type InternalEffect } from '../api/inbox.ts';
import { finishOutcomeSchema, progressSchema, type ClaimedJob, type FinishOutcome } from '../api/peer.ts';
import type { ErrorRecord } from '../error.ts';
import { mvmError } from '../error.ts';
import { idSchema, type JobProgress } from '../job.ts';
import { limits } from '../limits.ts';
import { pack, unpack } from '../packer.ts';
import { traceContextSchema } from '../trace.ts';
import { parseAs } from '../wire.ts';
import { blobTalkSchema, type BlobTalk } from './blob-talk.ts';
import { linkLimits } from './limits.ts';
import { snapshotPieceShape, type SnapshotPiece } from './snapshot-pieces.ts';

/** Asks for a run; the first message of the holder. */
export interface RunMessage extends ClaimedJob {
  readonly type: 'run';
  /** The `linkVersion` of the holder; an engine refuses another one than its own. */
  readonly protocol: number;
  /** `carried`: the journal comes over the link and goes back over it. `kept`: the engine reads and writes it where it is stored. */
  readonly journal: 'carried' | 'kept';
  /** What the holder can do beyond that (`features.ts`). @default nothing */
  readonly features?: readonly string[] | undefined;
}

/** Asks for a replay that performs nothing; the first message of a conversation of its own, with an engine that lists `replays`. */
export interface ReplayMessage {
  readonly type: 'replay';
  /** See {@link RunMessage}. */
  readonly protocol: number;
  readonly job: string;
  readonly attempt: number;
  /** Hash of the module, hex. */
  readonly module: string;
  readonly workflow: string;
  /** What to ask the workflow at the journal's end. @default nothing: the replay is judged */
  readonly query?: ErrandQuery | undefined;
}

/** What the holder says. */
export type HolderMessage =
  | RunMessage
  | ReplayMessage
  /** Stored entries, whole ones, one after another. */
  | { readonly type: 'journal'; readonly bytes: Uint8Array }
  /** Items of the job's inbox, lowest number first: before `ready` what is unread, after it what `listen` waits for. */
  | { readonly type: 'inbox'; readonly items: readonly InboxItem[] }
  /**
   * The journal is complete, with so many entries, and the inbox. `leftOut`: as many entries before them were not sent, since the snapshot
   * stands for them; only where both list `tails`.
   */
  | { readonly type: 'ready'; readonly entries: number; readonly leftOut?: number | undefined }
  /** A part of the whole journal, for an engine that needs what was left out. */
  | { readonly type: 'left-out'; readonly bytes: Uint8Array; readonly isLast: boolean }
  | { readonly type: 'no-left-out'; readonly error: ErrorRecord }
  /** All calls up to this one are durable; `refused` tells which of their effects inside the system were not done. */
  | {
      readonly type: 'ack';
      readonly call: number;
      readonly leaseLeftMs: number;
      readonly refused?: readonly InboxItem[] | undefined;
    }
  | { readonly type: 'refused'; readonly call: number; readonly error: ErrorRecord }
  /** The answer to `ask`; 0 when the lease is lost. */
  | { readonly type: 'lease'; readonly ask: number; readonly leaseLeftMs: number }
  /** A part of the module's file. */
  | { readonly type: 'module'; readonly bytes: Uint8Array; readonly isLast: boolean }
  | { readonly type: 'no-module'; readonly error: ErrorRecord }
  /** About the blob that the engine has given this number; only where both list `blobs`. */
  | { readonly type: 'blob'; readonly blob: number; readonly talk: BlobTalk }
  /** A part of the stored snapshot, before `ready`; only where both list `snapshots`, as all that follows about them. */
  | ({ readonly type: 'snapshot' } & SnapshotPiece)
  /** The engine's snapshot is kept; `error` tells why it is not. */
  | { readonly type: 'snapshot-kept'; readonly error?: ErrorRecord | undefined }
  /** Like `release`, once the guest is at rest; only where both list `hand-over`. */
  | { readonly type: 'hand-over' }
  | { readonly type: 'cancel'; readonly reason: string }
  | { readonly type: 'release' }
  | { readonly type: 'drop' };

/** What the engine says. */
export type EngineMessage =
  /** The run has a place: the journal may come. */
  | {
      readonly type: 'admitted';
      /** Those of the holder that this engine has too. @default none */
      readonly features?: readonly string[] | undefined;
    }
  /** The run was not begun, and won't be. */
  | { readonly type: 'busy'; readonly error: ErrorRecord }
  | { readonly type: 'want-module' }
  /** The entries that were left out are needed after all; asked once. */
  | { readonly type: 'want-left-out' }
  /** Entries of the next call, when they are too many for one message. */
  | { readonly type: 'entries'; readonly bytes: Uint8Array }
  /** An append: all entries since the last call. Calls are numbered from 1. */
  | {
      readonly type: 'append';
      readonly call: number;
      readonly bytes: Uint8Array;
      readonly progress?: JobProgress | undefined;
      readonly internal?: readonly InternalEffect[] | undefined;
    }
  | {
      readonly type: 'finish';
      readonly call: number;
      readonly bytes: Uint8Array;
      readonly outcome: FinishOutcome;
      readonly internal?: readonly InternalEffect[] | undefined;
    }
  /** Which items have a number above this? Answered once there are some; a new question takes the place of an open one. */
  | { readonly type: 'listen'; readonly after: number }
  /** The question is withdrawn. */
  | { readonly type: 'hush' }
  /** How long does the lease last? Numbered from 1. */
  | { readonly type: 'ask'; readonly ask: number }
  /** About a blob; they are numbered from 1. */
  | { readonly type: 'blob'; readonly blob: number; readonly talk: BlobTalk }
  /** A part of a snapshot, one snapshot at a time: to be kept in place of the one before. */
  | ({ readonly type: 'snapshot' } & SnapshotPiece)
  | { readonly type: 'ended'; readonly outcome: FinishOutcome | null }
  /** What came of a replay. */
  | { readonly type: 'replayed'; readonly outcome: ErrandOutcome }
  /** The run can't go on, and no other engine would do better. */
  | { readonly type: 'fault'; readonly error: ErrorRecord };

const count = z.number().int().nonnegative();
const positive = z.number().int().positive();
const durationMs = z.number().nonnegative();
const bytesUpTo = (bytesMax: number): z.ZodType<Uint8Array> =>
  z.instanceof(Uint8Array).refine(({ length }) => length <= bytesMax, `at most ${bytesMax} bytes`);
const entryBytes = bytesUpTo(linkLimits.pieceBytesMax);
const error = errorRecordSchema;
const features = z.array(z.string().max(linkLimits.featureCharsMax)).max(linkLimits.featuresMax).optional();
const snapshot = z.object({ type: z.literal('snapshot'), ...snapshotPieceShape });
const blob = z.object({ type: z.literal('blob'), blob: positive, talk: blobTalkSchema });

// Whatever may be published: a name within a module has no limit of its own.
const workflow = z.string().max(3 * limits.idCharsMax);

const holderSchema: z.ZodType<HolderMessage> = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run'),
    protocol: positive,
    journal: z.enum(['carried', 'kept']),
    features,
    job: idSchema,
    epoch: positive,
    attempt: positive,
    module: z.string().max(limits.idCharsMax),
    workflow,
    input: z.string().max(limits.inputBytesMax),
    journalEntries: count,
    trace: traceContextSchema.optional(),
  }),
  z.object({
    type: z.literal('replay'),
    protocol: positive,
    job: idSchema,
    attempt: positive,
    module: z.string().max(limits.idCharsMax),
    workflow,
    query: z
      .object({ name: z.string().max(limits.idCharsMax), args: z.string().max(limits.requestBytesMax) })
      .optional(),
  }),
  z.object({ type: z.literal('journal'), bytes: entryBytes }),
  z.object({ type: z.literal('inbox'), items: z.array(inboxItemSchema).max(limits.inboxItemsMax) }),
  z.object({ type: z.literal('ready'), entries: count, leftOut: positive.optional() }),
  z.object({ type: z.literal('left-out'), bytes: entryBytes, isLast: z.boolean() }),
  z.object({ type: z.literal('no-left-out'), error }),
  z.object({
    type: z.literal('ack'),
    call: positive,
    leaseLeftMs: durationMs,
    refused: z.array(inboxItemSchema).max(limits.internalEffectsMax).optional(),
  }),
  z.object({ type: z.literal('refused'), call: positive, error }),
  z.object({ type: z.literal('lease'), ask: positive, leaseLeftMs: durationMs }),
  z.object({ type: z.literal('module'), bytes: bytesUpTo(linkLimits.modulePieceBytes), isLast: z.boolean() }),
  z.object({ type: z.literal('no-module'), error }),
  blob,
  snapshot,
  z.object({ type: z.literal('snapshot-kept'), error: error.optional() }),
  z.object({ type: z.literal('hand-over') }),
  z.object({ type: z.literal('cancel'), reason: z.string().max(limits.textCharsMax) }),
  z.object({ type: z.literal('release') }),
  z.object({ type: z.literal('drop') }),
]);

const engineSchema: z.ZodType<EngineMessage> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('admitted'), features }),
  z.object({ type: z.literal('busy'), error }),
  z.object({ type: z.literal('want-module') }),
  z.object({ type: z.literal('want-left-out') }),
  z.object({ type: z.literal('entries'), bytes: entryBytes }),
  z.object({
    type: z.literal('append'),
    call: positive,
    bytes: entryBytes,
    progress: progressSchema,
    internal: internalEffectsSchema,
  }),
  z.object({
    type: z.literal('finish'),
    call: positive,
    bytes: entryBytes,
    outcome: finishOutcomeSchema,
    internal: internalEffectsSchema,
  }),
  z.object({ type: z.literal('listen'), after: count }),
  z.object({ type: z.literal('hush') }),
  z.object({ type: z.literal('ask'), ask: positive }),
  blob,
  snapshot,
  z.object({ type: z.literal('ended'), outcome: finishOutcomeSchema.nullable() }),
  z.object({ type: z.literal('replayed'), outcome: errandOutcomeSchema }),
  z.object({ type: z.literal('fault'), error }),
]);

/** A message as bytes. */
export const encodeLinkMessage = (message: HolderMessage | EngineMessage): Uint8Array => pack(message);

/** @throws INVALID_ARGUMENT when `bytes` are no message of a holder */
export const decodeHolderMessage = (bytes: Uint8Array): HolderMessage => decode(holderSchema, bytes, 'holder');

/** @throws INVALID_ARGUMENT when `bytes` are no message of an engine */
export const decodeEngineMessage = (bytes: Uint8Array): EngineMessage => decode(engineSchema, bytes, 'engine');

const decode = <T>(schema: z.ZodType<T>, bytes: Uint8Array, whose: string): T => {
  const what = `a message of the ${whose} on an engine link`;
  let value: unknown;
  try {
    value = unpack(bytes);
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    throw mvmError('INVALID_ARGUMENT', `${what} is not MessagePack: ${text}`);
  }
  return parseAs(schema, value, what);
};
