import type { QueueStats } from '@mvm-ci/protocol';
import type { FlawlessService } from './flawless-api.ts';

/** The jobs of an engine server that is used alone: what its routes need of them. */
export interface OwnJobs {
  /** Behind the routes of Flawless. */
  readonly flawless: FlawlessService;
  /** Answers the requests that are no route of the engine server itself. Never rejects. */
  fetch(request: Request): Promise<Response>;
  stats(): Promise<QueueStats>;
  /** Begins no more jobs, lets those that run end for `graceMs`, stores where the others are, and ends what waits. */
  drain(options: { readonly graceMs: number }): Promise<void>;
}
