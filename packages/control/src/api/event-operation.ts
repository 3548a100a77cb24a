/**
 * `/queue/events`: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), one for the latest
 * state of each job that changed. The event id is the change's number, so a reader resumes where it was, by `Last-Event-ID`
 * or `after`. A slow reader gets fewer events, not a longer queue: rows are read only when it takes them.
 */
import { mvmError, type JobView } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';
import { noBody } from './body-spec.ts';
import { operation, type Operation } from './operation.ts';

const encoder = new TextEncoder();
const openStreams: WeakMap<Core, number> = new WeakMap();

/** The event stream. */
export const eventOperation: Operation = operation({
  method: 'GET',
  route: 'events',
  access: 'publisher',
  summary:
    'Jobs as they change, as server-sent events; from now on, or after the change that `after` or Last-Event-ID names.',
  body: noBody,
  search: z.object({ after: z.coerce.number().int().min(0).optional() }),
  answers: 'text/event-stream',
  run: ({ core, signal, header, search }) => {
    const after = search.after ?? lastEventId(header('last-event-id')) ?? core.feed.latest;
    return { type: 'events', stream: eventStream(core, after, signal) };
  },
});

const lastEventId = (header: string | null): number | undefined =>
  header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;

const eventStream = (core: Core, after: number, signal: AbortSignal): ReadableStream<Uint8Array> => {
  const gone = new AbortController();
  const ended = AbortSignal.any([signal, gone.signal]);
  if (!ended.aborted) {
    countStream(core, 1);
    ended.addEventListener('abort', () => countStream(core, -1), { once: true });
  }
  let position = after;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const jobs = await nextJobs(core, position, ended);
        if (ended.aborted || core.feed.isStopped) {
          gone.abort();
          return controller.close();
        }
        position = jobs.at(-1)?.change ?? position;
        controller.enqueue(encoder.encode(jobs.length === 0 ? ': still here\n\n' : jobs.map(eventText).join('')));
      },
      cancel: () => gone.abort(),
    },
    { highWaterMark: 0 },
  );
};

const nextJobs = async (core: Core, after: number, signal: AbortSignal): Promise<readonly JobView[]> => {
  await core.feed.changed(after, { waitMs: controlLimits.eventKeepAliveMs, signal });
  if (signal.aborted || core.feed.isStopped || core.feed.latest <= after) return [];
  return core.queue.changes(after, controlLimits.eventRowsMax);
};

const eventText = (job: JobView): string => `id: ${job.change}\nevent: job\ndata: ${JSON.stringify(job)}\n\n`;

const countStream = (core: Core, step: 1 | -1): void => {
  const open = (openStreams.get(core) ?? 0) + step;
  if (open > controlLimits.eventStreamsMax) {
    throw mvmError('UNAVAILABLE', `${controlLimits.eventStreamsMax} event streams are open already`);
  }
  openStreams.set(core, open);
};
