import type { QueueStats } from '@mvm-ci/protocol';
import type { FlawlessService } from './flawless-api.ts';

/** What was added to journals since the start. */
export interface JournalCounts {
  readonly entries: number;
  readonly bytes: number;
  /** Calls that added to some, each of them answered when it was durable. */
  readonly commits: number;
  /** Time that these took, all together. */
  readonly seconds: number;
}

/** What its worker does, and has done since the start. */
export interface WorkCounts {
  /** Jobs that run now. */
  readonly running: number;
  readonly claimed: number;
  /** Claims that went on with a journal. */
  readonly resumed: number;
}

/** The jobs of an engine server that is used alone: what its routes need of them. */
export interface OwnJobs {
  /** Behind the routes of Flawless. */
  readonly flawless: FlawlessService;
  /** Answers the requests that are no route of the engine server itself. Never rejects. */
  fetch(request: Request): Promise<Response>;
  stats(): Promise<QueueStats>;
  readonly journalCounts: JournalCounts;
  readonly workCounts: WorkCounts;
  /** Begins no more jobs, lets those that run end for `graceMs`, stores where the others are, and ends what waits. */
  drain(options: { readonly graceMs: number }): Promise<void>;
}
