/**
 * The control plane's event stream: the latest state of each job that changed. Nothing that stays is missed; states that a job
 * only passed through may be.
 */
import { routePath, type JobFilter, type JobView } from '@mvm-ci/protocol';
import { jobViewSchema } from './answer.ts';
import type { Connection } from './connection.ts';
import { eventData, readEvents } from './event-stream.ts';

/** Where to begin, when to end, and which jobs to tell of: those that fit as they are then. */
export interface EventsOptions extends JobFilter {
  /** Only changes after this number (`JobView.change`). @default from now on */
  readonly after?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The jobs that change, as they change, until `signal` fires.
 *
 * @throws {MvmError} when the control plane refuses the stream; `UNAVAILABLE` when it keeps breaking the stream off
 */
export const jobEvents = (
  connection: Connection,
  { after, signal, ...filter }: EventsOptions,
): AsyncIterable<JobView> =>
  readEvents(
    connection,
    {
      path: (last) => routePath('events', {}, { ...filter, after: last ?? after }),
      // Events of a kind that a newer control plane may add are no jobs.
      read: (event) => jobViewSchema.safeParse(eventData(event)).data,
    },
    signal,
  );
