/**
 * The control plane's event stream (server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * the latest state of each job that changed. It is opened again where it broke, so nothing that stays is missed; states
 * that a job only passed through may be.
 */
import { mvmError, RetryLaterError, routePath, type JobView, type MvmError } from '@mvm-ci/protocol';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { jobViewSchema } from './answer.ts';
import { pause, type Connection } from './connection.ts';
import { clientLimits } from './limits.ts';

/** Where to begin, and when to end. */
export interface EventsOptions {
  /** Only changes after this number (`JobView.change`). @default from now on */
  readonly after?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The jobs that change, as they change, until `signal` fires.
 *
 * @throws {MvmError} when the control plane refuses the stream; `UNAVAILABLE` when it keeps breaking the stream off
 */
export async function* jobEvents(connection: Connection, options: EventsOptions): AsyncGenerator<JobView, void, void> {
  const { signal } = options;
  let { after } = options;
  // Streams in a row that were opened and broke off before anything came.
  let barren = 0;
  const alive = (): void => {
    barren = 0;
  };
  for (;;) {
    if (signal?.aborted) return;
    try {
      for await (const job of oneStream(connection, { after, signal, alive })) {
        after = job.change;
        yield job;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!isBroken(error)) throw error;
      if (error instanceof TypeError) barren += 1;
      if (barren >= clientLimits.barrenStreamsMax) throw broken(connection.url, error);
    }
    await pause(clientLimits.eventRetryMs, signal);
  }
}

interface StreamOptions extends EventsOptions {
  /** Called whenever something comes, if only a comment. */
  readonly alive: () => void;
}

async function* oneStream(
  connection: Connection,
  { after, signal, alive }: StreamOptions,
): AsyncGenerator<JobView, void, void> {
  const response = await connection.open(routePath('events', {}, { after }), { accept: 'text/event-stream', signal });
  if (!response.body) return;
  const parser = new EventSourceParserStream({ onComment: alive });
  const reader = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(parser).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const job = parsed(value.data);
      if (job) yield job;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

const broken = (url: string, cause: unknown): MvmError =>
  mvmError('UNAVAILABLE', `${url} keeps breaking its event stream off: its log says why`, { url }, { cause });

// Events of a kind that a newer control plane may add are no jobs.
const parsed = (data: string): JobView | undefined => jobViewSchema.safeParse(jsonOf(data)).data;

const jsonOf = (data: string): unknown => {
  try {
    return JSON.parse(data);
  } catch {
    throw mvmError('INVALID_JSON', `an event is not JSON: ${data.slice(0, 100)}`);
  }
};

/** A stream that breaks while it is read rejects with what `fetch` makes of it: a TypeError. */
const isBroken = (error: unknown): boolean => error instanceof RetryLaterError || error instanceof TypeError;
