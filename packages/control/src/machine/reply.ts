import type {
  ClaimedJob,
  DeployedModule,
  ItemAnswer,
  JobState,
  Published,
  QueueSettings,
  RepinResult,
} from '@mvm-ci/protocol';
import type { Command } from './command.ts';
import type { JobRow } from './job-row.ts';
import type { NodeRecord } from './node-table.ts';
import type { ScheduleRecord } from './schedule-table.ts';
import type { TicketRecord } from './ticket-table.ts';
import type { WebhookRecord } from './webhook-table.ts';

/** A claimed job, with what is needed to check that its input is as it was published. */
export interface ClaimedRow extends ClaimedJob {
  readonly content: PublishedContent;
}

/** The parts of a job that never change and that its content hash covers. */
interface PublishedContent {
  readonly reference: string | null;
  readonly attemptsMax: number;
  readonly backoffInitialMs: number;
  readonly backoffFactor: number;
  readonly backoffMaxMs: number;
  readonly options: string | null;
  /** Not covered by it. */
  readonly trace: string | null;
  readonly hash: Uint8Array;
}

/** What a command answers; `type` is the command's. */
export type Reply =
  | { readonly type: 'publish'; readonly jobs: readonly (Published & { readonly status: JobState })[] }
  | { readonly type: 'claim'; readonly jobs: readonly ClaimedRow[] }
  | { readonly type: 'claim-bare'; readonly row: JobRow | null }
  | { readonly type: 'expire' }
  | { readonly type: 'append'; readonly results: readonly ItemAnswer[] }
  | { readonly type: 'finish'; readonly results: readonly ItemAnswer[] }
  /** `entries` behind the snapshot that is stored now. */
  | { readonly type: 'keep-snapshot'; readonly entries: number }
  | { readonly type: 'report'; readonly row: JobRow }
  | { readonly type: 'cancel'; readonly row: JobRow }
  | { readonly type: 'move'; readonly row: JobRow }
  | { readonly type: 'expire-deadlines'; readonly next: number | null }
  | { readonly type: 'set-queue'; readonly settings: QueueSettings }
  | { readonly type: 'set-schedule'; readonly schedule: ScheduleRecord }
  | { readonly type: 'delete-schedule' }
  | { readonly type: 'prune'; readonly pruned: number }
  | { readonly type: 'set-webhook'; readonly webhook: WebhookRecord }
  | { readonly type: 'delete-webhook' }
  | { readonly type: 'advance-webhook'; readonly webhook: WebhookRecord }
  | { readonly type: 'fire-schedule'; readonly schedule: ScheduleRecord }
  /** The jobs that are tried again. */
  | { readonly type: 'retry'; readonly jobs: readonly string[] }
  /** `number` is the item's in the inbox; `created` false: a message with this id was there before. */
  | { readonly type: 'send-message'; readonly number: number; readonly created: boolean }
  | { readonly type: 'deploy'; readonly module: DeployedModule; readonly created: boolean }
  /** `seen`: jobs that it looked at; sizes with what rows take, of what it packed. */
  | {
      readonly type: 'compact';
      readonly seen: number;
      readonly rows: number;
      readonly bytesBefore: number;
      readonly bytesAfter: number;
    }
  | { readonly type: 'keep-blob'; readonly bytes: number }
  /** The hashes of those that are forgotten; their files are the caller's to remove. */
  | { readonly type: 'drop-blobs'; readonly hashes: readonly string[] }
  | { readonly type: 'repin'; readonly results: readonly RepinResult[] }
  | { readonly type: 'join'; readonly known: boolean; readonly node: NodeRecord }
  | { readonly type: 'create-ticket'; readonly ticket: TicketRecord }
  | { readonly type: 'revoke-ticket'; readonly ticket: TicketRecord }
  | { readonly type: 'ban-node'; readonly node: NodeRecord }
  /** `jobs`: ids of those that are for others now. */
  | { readonly type: 'leave'; readonly jobs: readonly string[] }
  | { readonly type: 'allow-node'; readonly node: NodeRecord }
  | { readonly type: 'rename-node'; readonly node: NodeRecord }
  | { readonly type: 'touch-nodes' }
  | { readonly type: 'found'; readonly cluster: string };

/** The reply to a command of type `T`. */
export type ReplyTo<T extends Command['type']> = Extract<Reply, { readonly type: T }>;

/** Whether `reply` answers a command of type `type`. */
export const isReplyTo = <T extends Command['type']>(type: T, reply: Reply): reply is ReplyTo<T> => reply.type === type;
