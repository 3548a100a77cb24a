/**
 * `/queue/events`: one event for the latest state of each job that changed. The event id is the change's number, so a reader
 * resumes where it was, by `Last-Event-ID` or `after`.
 *
 *   1. The first event, `begin`, has the number after which the stream begins: a reader whose stream breaks before any job came
 *      resumes there, and not at what is `now` then.
 *   2. A filter leaves jobs out as they are at that moment: one that fits no more is told of no more.
 *   3. A number that was never given out is of a store that was put back since (a backup): the stream begins with what comes now.
 */
import type { JobView } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';
import { jobFits } from '../queue/job-fits.ts';
import { noBody } from './body-spec.ts';
import { eventStream, eventText } from './event-stream.ts';
import { jobFilterShape } from './job-filter.ts';
import { operation, type Operation } from './operation.ts';

/** The event stream. */
export const eventOperation: Operation = operation({
  method: 'GET',
  route: 'events',
  access: 'publisher',
  summary:
    'Jobs that fit a filter as they change, as server-sent events; from now on, or after the change that `after` or Last-Event-ID names.',
  body: noBody,
  search: z.object({ ...jobFilterShape, after: z.coerce.number().int().min(0).optional() }),
  answers: 'text/event-stream',
  run: ({ core, signal, header, search }) => {
    const { latest } = core.feed;
    const { after, ...filter } = search;
    let position = Math.min(after ?? lastEventId(header('last-event-id')) ?? latest, latest);
    let hasBegun = false;
    const stream = eventStream(core, signal, async (ended) => {
      if (!hasBegun) {
        hasBegun = true;
        return eventText('begin', position, { change: position });
      }
      const untilMs = core.clock.monotonicMs() + controlLimits.eventKeepAliveMs;
      // Pages of which nothing fits are passed over, for as long as a stream may be silent.
      for (;;) {
        const { jobs, upTo } = await nextJobs(core, position, ended);
        const hasMore = upTo > position;
        position = upTo;
        const text = jobs.flatMap((job) => (jobFits(job, filter) ? [eventText('job', job.change, job)] : [])).join('');
        if (text !== '' || !hasMore || core.clock.monotonicMs() >= untilMs) return text;
      }
    });
    return { type: 'events', stream };
  },
});

const lastEventId = (header: string | null): number | undefined =>
  header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;

const nextJobs = async (
  core: Core,
  after: number,
  signal: AbortSignal,
): Promise<{ readonly jobs: readonly JobView[]; readonly upTo: number }> => {
  await core.feed.changed(after, { waitMs: controlLimits.eventKeepAliveMs, signal });
  const { latest } = core.feed;
  if (signal.aborted || core.feed.isStopped || latest <= after) return { jobs: [], upTo: after };
  const jobs = await core.queue.changes(after, controlLimits.eventRowsMax);
  // The job of the latest change may be forgotten already: then nobody waits for it.
  return { jobs, upTo: jobs.at(-1)?.change ?? latest };
};
