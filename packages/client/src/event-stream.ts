/**
 * Streams of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). A stream is opened again where
 * it broke, after the last event that came.
 */
import { mvmError, RetryLaterError, type MvmError } from '@mvm-ci/protocol';
import type { EventSourceMessage } from 'eventsource-parser';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { pause, type Connection } from './connection.ts';
import { clientLimits } from './limits.ts';

/** What is read, and how. */
export interface EventSource<T> {
  /** Where events after `last` come from; undefined: from where the reader wants to begin. */
  readonly path: (last: string | undefined) => string;
  /** What an event says; undefined for one of another kind. */
  readonly read: (event: EventSourceMessage) => T | undefined;
  /** Whether nothing comes after this one. @default never */
  readonly isLast?: (event: EventSourceMessage) => boolean;
}

/** Where a reader is, over all its streams. */
interface Reading {
  readonly signal: AbortSignal | undefined;
  /** The id of the last event. */
  last: string | undefined;
  isOver: boolean;
  /** Streams in a row that were opened and broke off before anything came. */
  barren: number;
}

/**
 * What comes, until the last event or until `signal` fires.
 *
 * @throws {MvmError} when the control plane refuses the stream; `UNAVAILABLE` when it keeps breaking the stream off
 */
export async function* readEvents<T>(
  connection: Connection,
  source: EventSource<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  const reading: Reading = { signal, last: undefined, isOver: false, barren: 0 };
  for (;;) {
    if (signal?.aborted || reading.isOver) return;
    try {
      for await (const read of oneStream(connection, source, reading)) yield read;
    } catch (error) {
      if (signal?.aborted) return;
      if (!isBroken(error)) throw error;
      if (error instanceof TypeError) reading.barren += 1;
      if (reading.barren >= clientLimits.barrenStreamsMax) throw broken(connection.url, error);
    }
    if (!reading.isOver) await pause(clientLimits.eventRetryMs, signal);
  }
}

async function* oneStream<T>(
  connection: Connection,
  source: EventSource<T>,
  reading: Reading,
): AsyncGenerator<T, void, void> {
  const { signal, last } = reading;
  const alive = (): void => {
    reading.barren = 0;
  };
  const response = await connection.open(source.path(last), { accept: 'text/event-stream', signal });
  if (!response.body) return;
  const parser = new EventSourceParserStream({ onComment: alive });
  const reader = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(parser).getReader();
  try {
    while (!reading.isOver) {
      const { done, value } = await reader.read();
      if (done) return;
      // It only says where the stream begins: one may break off behind it again and again.
      if (value.event !== 'begin') alive();
      const read = source.read(value);
      reading.last = value.id ?? reading.last;
      reading.isOver = source.isLast?.(value) === true;
      if (read !== undefined) yield read;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The data of an event. @throws INVALID_JSON */
export const eventData = ({ data }: EventSourceMessage): unknown => {
  try {
    return JSON.parse(data);
  } catch {
    throw mvmError('INVALID_JSON', `an event is not JSON: ${data.slice(0, 100)}`);
  }
};

const broken = (url: string, cause: unknown): MvmError =>
  mvmError('UNAVAILABLE', `${url} keeps breaking its event stream off: its log says why`, { url }, { cause });

/** A stream that breaks while it is read rejects with what `fetch` makes of it: a TypeError. */
const isBroken = (error: unknown): boolean => error instanceof RetryLaterError || error instanceof TypeError;
