/** What can be read from the store, and what comes back: rows, not yet made into what the API shows. */
import type { DeployedModule, InboxItem, JobFilter, JournalBatch, StoredSnapshot } from '@mvm-ci/protocol';
import type { CounterValues } from '../machine/counters.ts';
import type { JobRow } from '../machine/job-row.ts';
import type { LeaseEffect } from '../machine/effects.ts';
import type { NodeRecord } from '../machine/node-table.ts';
import type { ScheduleRecord } from '../machine/schedule-table.ts';
import type { TicketRecord } from '../machine/ticket-table.ts';
import type { WebhookRecord } from '../machine/webhook-table.ts';
import type { KeepRule } from './prunable.ts';
import type { QueueState } from './queue-state.ts';
import type { WhyFacts } from './why-facts.ts';

/** A read. In `jobs` and `changes`, inputs and results longer than a list takes are null. */
export type Query =
  | { readonly type: 'job'; readonly id: string }
  /** Newest first, below the number `before`; oldest first above the number `above`, if that is given. */
  | {
      readonly type: 'jobs';
      readonly filter: JobFilter;
      readonly before: number | null;
      readonly above?: number | undefined;
      readonly limit: number;
    }
  /** The latest state of each job that changed after `after`, by change. */
  | { readonly type: 'changes'; readonly after: number; readonly limit: number }
  | { readonly type: 'counters' }
  /** `attempt` null: the current one. @default part all of it */
  | {
      readonly type: 'journal';
      readonly id: string;
      readonly attempt: number | null;
      readonly part?: JournalPart | undefined;
    }
  /** The snapshot of an attempt; null: of the current one. */
  | { readonly type: 'snapshot'; readonly id: string; readonly attempt: number | null }
  /** Items of a job's inbox above `after`, lowest first. */
  | { readonly type: 'inbox'; readonly id: string; readonly after: number; readonly limit: number }
  /** The jobs that a job's attempts started, oldest first. */
  | { readonly type: 'children'; readonly parent: string; readonly limit: number }
  | { readonly type: 'why'; readonly id: string }
  | { readonly type: 'prunable'; readonly rules: readonly KeepRule[]; readonly limit: number }
  | ClusterQuery;

/** A read of what is no job. */
export type ClusterQuery =
  | { readonly type: 'modules' }
  /** By name. */
  | { readonly type: 'schedules' }
  | { readonly type: 'webhooks' }
  | { readonly type: 'module'; readonly hash: string }
  | { readonly type: 'blob'; readonly hash: string }
  | { readonly type: 'module-file'; readonly hash: string }
  | { readonly type: 'nodes' }
  /** Queues that have ready or running jobs, or settings. */
  | { readonly type: 'queues' }
  /** The latest first. */
  | { readonly type: 'tickets' }
  | { readonly type: 'leases' };

/** Which batches: those that hold the entries from number `from` on, until they are so many entries or bytes. */
export interface JournalPart {
  readonly from: number;
  /** @default no limit */
  readonly entriesMax?: number | undefined;
  /** @default no limit */
  readonly bytesMax?: number | undefined;
}

/** A journal as it is stored, or a part of it; its chain is not checked yet. */
export interface StoredJournal {
  readonly attempt: number;
  /** Of the attempt, hex; null when its first entry says which. */
  readonly module: string | null;
  /** The hash of the batch before the first one; null: there is none. */
  readonly previous: Uint8Array | null;
  /** How many entries the job's row says there are; null for an earlier attempt. */
  readonly entries: number | null;
  readonly batches: readonly JournalBatch[];
}

/** A lease that was current when the process ended. */
export interface StoredLease extends LeaseEffect {
  readonly attempt: number;
  readonly cancelReason: string | null;
  /** Whether its holder was asked to give the job back. */
  readonly isMoved: boolean;
}

/** What a query answers; `type` is the query's. */
export type Answer =
  | { readonly type: 'job'; readonly row: JobRow | null }
  | { readonly type: 'jobs'; readonly rows: readonly JobRow[] }
  | { readonly type: 'changes'; readonly rows: readonly JobRow[] }
  | { readonly type: 'counters'; readonly counters: CounterValues }
  | { readonly type: 'journal'; readonly journal: StoredJournal | null }
  | { readonly type: 'snapshot'; readonly snapshot: StoredSnapshot | null }
  | { readonly type: 'inbox'; readonly items: readonly InboxItem[] }
  | { readonly type: 'children'; readonly rows: readonly JobRow[] }
  | { readonly type: 'webhooks'; readonly webhooks: readonly WebhookRecord[] }
  | { readonly type: 'schedules'; readonly schedules: readonly ScheduleRecord[] }
  | { readonly type: 'modules'; readonly modules: readonly DeployedModule[] }
  /** Its length; null: it is not kept. */
  | { readonly type: 'blob'; readonly bytes: number | null }
  | { readonly type: 'module'; readonly module: DeployedModule | null }
  | { readonly type: 'module-file'; readonly file: Uint8Array | null }
  | { readonly type: 'nodes'; readonly nodes: readonly NodeRecord[] }
  | { readonly type: 'queues'; readonly queues: readonly QueueState[] }
  | { readonly type: 'prunable'; readonly ids: readonly string[] }
  | { readonly type: 'why'; readonly facts: WhyFacts | null }
  | { readonly type: 'tickets'; readonly tickets: readonly TicketRecord[] }
  | { readonly type: 'leases'; readonly leases: readonly StoredLease[] };

/** The answer to a query of type `T`. */
export type AnswerTo<T extends Query['type']> = Extract<Answer, { readonly type: T }>;

/** Whether `answer` answers a query of type `type`. */
export const isAnswerTo = <T extends Query['type']>(type: T, answer: Answer): answer is AnswerTo<T> =>
  answer.type === type;
