/**
 * `/queue/events`: one event for the latest state of each job that changed. The event id is the change's number, so a reader
 * resumes where it was, by `Last-Event-ID` or `after`.
 *
 *   1. The first event, `begin`, has the number after which the stream begins: a reader whose stream breaks before any job came
 *      resumes there, and not at what is `now` then.
 *   2. A filter leaves jobs out as they are at that moment: one that fits no more is told of no more.
 *   3. A number that was never given out is of a store that was put back since (a backup): the stream begins with what comes now.
 */
import type { JobFilter, JobView } from '@mvm-ci/protocol';
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
    const position = Math.min(after ?? lastEventId(header('last-event-id')) ?? latest, latest);
    const reader = new ChangeReader(core, filter, position);
    let hasBegun = false;
    const stream = eventStream(core, signal, async (ended) => {
      if (hasBegun) return reader.next(ended);
      hasBegun = true;
      return eventText('begin', position, { change: position });
    });
    return { type: 'events', stream };
  },
});

const lastEventId = (header: string | null): number | undefined =>
  header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;

/** Reads changes on, a page at a time: as many as are not too long together. */
class ChangeReader {
  readonly #core: Core;
  readonly #filter: JobFilter;
  #position: number;
  #rows: number = controlLimits.eventRowsFirst;

  constructor(core: Core, filter: JobFilter, position: number) {
    this.#core = core;
    this.#filter = filter;
    this.#position = position;
  }

  /** See {@link NextEvents}. Pages of which nothing fits are passed over, for as long as a stream may be silent. */
  async next(signal: AbortSignal): Promise<string> {
    const { clock } = this.#core;
    const untilMs = clock.monotonicMs() + controlLimits.eventKeepAliveMs;
    for (;;) {
      const before = this.#position;
      const text = await this.#page(signal);
      if (text !== '' || this.#position === before || clock.monotonicMs() >= untilMs) return text;
    }
  }

  async #page(signal: AbortSignal): Promise<string> {
    const { feed, queue } = this.#core;
    await feed.changed(this.#position, { waitMs: controlLimits.eventKeepAliveMs, signal });
    const { latest } = feed;
    if (signal.aborted || feed.isStopped || latest <= this.#position) return '';
    const jobs = await queue.changes(this.#position, this.#rows);
    // The job of the latest change may be forgotten already: then nobody waits for it.
    if (jobs.length === 0) this.#position = latest;
    return this.#textOf(jobs);
  }

  #textOf(jobs: readonly JobView[]): string {
    let text = '';
    for (const [index, job] of jobs.entries()) {
      if (jobFits(job, this.#filter)) text += eventText('job', job.change, job);
      this.#position = job.change;
      if (text.length < controlLimits.eventCharsMax) continue;
      // The rest is read again, and no more than that the next time.
      this.#rows = index + 1;
      return text;
    }
    this.#rows = Math.min(this.#rows * 2, controlLimits.eventRowsMax);
    return text;
  }
}
