/** A job's log as it is written: each line once, also when the connection breaks on the way. */
import { routePath } from '@mvm-ci/protocol';
import { logLineSchema, type LogLine } from './answer.ts';
import type { Connection } from './connection.ts';
import { eventData, readEvents } from './event-stream.ts';

/** Which part of a log to read. */
export interface LogEventsOptions {
  /** Only this attempt. @default from the current one on */
  readonly attempt?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The lines that a job has logged and logs, until it is over or `signal` fires.
 *
 * @throws {MvmError} `JOB_NOT_FOUND`; `UNAVAILABLE` when the control plane keeps breaking the stream off
 */
export const logEvents = (
  connection: Connection,
  job: string,
  { attempt, signal }: LogEventsOptions,
): AsyncIterable<LogLine> =>
  readEvents(
    connection,
    {
      path: (last) => routePath('logEvents', { job }, { attempt, after: last }),
      read: (event) => (event.event === 'log' ? logLineSchema.parse(eventData(event)) : undefined),
      isLast: ({ event }) => event === 'end',
    },
    signal,
  );
