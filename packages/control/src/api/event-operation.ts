/**
 * `/queue/events`: one event for the latest state of each job that changed. The event id is the change's number, so a reader
 * resumes where it was, by `Last-Event-ID` or `after`.
 */
import type { JobView } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';
import { noBody } from './body-spec.ts';
import { eventStream, eventText } from './event-stream.ts';
import { operation, type Operation } from './operation.ts';

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
    let position = search.after ?? lastEventId(header('last-event-id')) ?? core.feed.latest;
    const stream = eventStream(core, signal, async (ended) => {
      const jobs = await nextJobs(core, position, ended);
      position = jobs.at(-1)?.change ?? position;
      return jobs.map((job) => eventText('job', job.change, job)).join('');
    });
    return { type: 'events', stream };
  },
});

const lastEventId = (header: string | null): number | undefined =>
  header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;

const nextJobs = async (core: Core, after: number, signal: AbortSignal): Promise<readonly JobView[]> => {
  await core.feed.changed(after, { waitMs: controlLimits.eventKeepAliveMs, signal });
  if (signal.aborted || core.feed.isStopped || core.feed.latest <= after) return [];
  return core.queue.changes(after, controlLimits.eventRowsMax);
};
