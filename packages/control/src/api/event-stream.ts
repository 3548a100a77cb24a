/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as the API sends them. A slow reader gets
 * fewer events, not a longer queue: the next ones are asked for only when it takes them.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';

/** The next events as text, '' when there are none for now; undefined at the end. */
export type NextEvents = (signal: AbortSignal) => Promise<string | undefined>;

const encoder = new TextEncoder();
const openStreams: WeakMap<Core, number> = new WeakMap();

/** A stream that `next` fills until `signal` fires or the core stops. @throws UNAVAILABLE when too many are open */
export const eventStream = (core: Core, signal: AbortSignal, next: NextEvents): ReadableStream<Uint8Array> => {
  const gone = new AbortController();
  const ended = AbortSignal.any([signal, gone.signal]);
  if (!ended.aborted) {
    countStream(core, 1);
    ended.addEventListener('abort', () => countStream(core, -1), { once: true });
  }
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const text = await next(ended).catch((error: unknown) => {
          gone.abort();
          throw error;
        });
        if (ended.aborted || core.feed.isStopped || text === undefined) {
          gone.abort();
          return controller.close();
        }
        controller.enqueue(encoder.encode(text === '' ? ': still here\n\n' : text));
      },
      cancel: () => gone.abort(),
    },
    { highWaterMark: 0 },
  );
};

/** One event. */
export const eventText = (type: string, id: string | number, data: unknown): string =>
  `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

const countStream = (core: Core, step: 1 | -1): void => {
  const open = (openStreams.get(core) ?? 0) + step;
  if (open > controlLimits.eventStreamsMax) {
    throw mvmError('UNAVAILABLE', `${controlLimits.eventStreamsMax} event streams are open already`);
  }
  openStreams.set(core, open);
};
