/**
 * `/queue/logs/{job}/events`: what a job logged and logs, one event a line, until the job is over. The event id is the line's
 * place, `attempt.entry.line`, so a reader resumes where it was, by `Last-Event-ID` or `after`.
 */
import { isFinal, limits, type JobView } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';
import { logLines, type LogLineView } from '../queue/journal-view.ts';
import { noBody } from './body-spec.ts';
import { eventStream, eventText } from './event-stream.ts';
import { operation, type Operation } from './operation.ts';

const placePattern = /^\d{1,9}\.\d{1,9}\.\d{1,9}$/;

/** The stream of one job's log. */
export const logEventOperation: Operation = operation({
  method: 'GET',
  route: 'logEvents',
  access: 'operator',
  summary:
    'What a job logs, as server-sent events, from the beginning of the attempt or after the line that `after` or Last-Event-ID names; the event `end` has the job when it is over.',
  body: noBody,
  search: z.object({
    attempt: z.coerce.number().int().min(1).max(limits.attemptsMax).optional(),
    after: z.string().regex(placePattern, 'attempt.entry.line').optional(),
  }),
  answers: 'text/event-stream',
  run: async ({ core, signal, header, parameter, search }) => {
    // Refused before the stream begins.
    const { attempt: current } = await core.queue.status(parameter);
    const after = search.after ?? header('last-event-id');
    const reader = new LogReader(core, { job: parameter, attempt: search.attempt, current, after });
    return { type: 'events', stream: eventStream(core, signal, (ended) => reader.next(ended)) };
  },
});

interface LogWish {
  readonly job: string;
  /** Only this attempt; undefined: from the current one on, or where `after` is. */
  readonly attempt: number | undefined;
  readonly current: number;
  readonly after: string | null;
}

/** Lines, each with its number in its entry. */
const numbered = (lines: readonly LogLineView[]): readonly (LogLineView & { readonly line: number })[] => {
  let [entry, line] = [-1, 0];
  return lines.map((one) => {
    line = one.seq === entry ? line + 1 : 0;
    entry = one.seq;
    return { ...one, line };
  });
};

/** Reads a job's log on. */
class LogReader {
  readonly #core: Core;
  readonly #wish: LogWish;
  #attempt: number;
  /** The entry to look at next, and how many of its lines were seen. */
  #entry = 0;
  #seen = 0;
  #isOver = false;

  constructor(core: Core, wish: LogWish) {
    this.#core = core;
    this.#wish = wish;
    this.#attempt = wish.attempt ?? wish.current;
    const place = placePattern.test(wish.after ?? '') ? (wish.after ?? '').split('.').map(Number) : [];
    const [attempt = 0, entry = 0, line = -1] = place;
    if (attempt === this.#attempt || (wish.attempt === undefined && attempt > 0))
      [this.#attempt, this.#entry, this.#seen] = [attempt, entry, line + 1];
  }

  /** See {@link NextEvents}: what is stored, else it waits for a change. */
  async next(signal: AbortSignal): Promise<string | undefined> {
    if (this.#isOver) return undefined;
    const { queue, feed, clock } = this.#core;
    const untilMs = clock.monotonicMs() + controlLimits.eventKeepAliveMs;
    while (!signal.aborted && !feed.isStopped) {
      const seen = feed.latest;
      const job = await queue.status(this.#wish.job);
      const text = await this.#read(job);
      if (text !== '') return text;
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) return '';
      await feed.changed(seen, { waitMs: leftMs, signal });
      if (!feed.isStopped) await this.#pause(signal);
    }
    return undefined;
  }

  async #read(job: JobView): Promise<string> {
    const last = this.#wish.attempt ?? job.attempt;
    for (;;) {
      const text = await this.#newLines();
      if (text !== '') return text;
      if (this.#attempt >= last) break;
      [this.#attempt, this.#entry, this.#seen] = [this.#attempt + 1, 0, 0];
    }
    if (!isFinal(job.status) && job.attempt === last) return '';
    this.#isOver = true;
    return eventText('end', `${this.#attempt}.${this.#entry}.0`, job);
  }

  async #newLines(): Promise<string> {
    for (;;) {
      const text = await this.#readOn();
      if (text !== '') return text ?? '';
    }
  }

  /** The lines of the next entries; undefined when there are no more entries. */
  async #readOn(): Promise<string | undefined> {
    // The entry before it has the time of its lines.
    const from = Math.max(this.#entry - 1, 0);
    const entriesMax = controlLimits.journalRowsMax;
    const { entries } = await this.#core.journals.part(this.#wish.job, this.#attempt, { from, entriesMax });
    const end = from + entries.length;
    if (end <= this.#entry) return undefined;
    const lines = numbered(logLines(entries).map((line) => ({ ...line, seq: from + line.seq })));
    const unseen = lines.filter(({ seq, line }) => seq > this.#entry || (seq === this.#entry && line >= this.#seen));
    [this.#entry, this.#seen] = [end, 0];
    const attempt = this.#attempt;
    return unseen
      .map(({ line, ...fields }) => eventText('log', `${attempt}.${fields.seq}.${line}`, { attempt, ...fields }))
      .join('');
  }

  // Many changes of other jobs are looked at together.
  async #pause(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    const timer = this.#core.clock.after(controlLimits.logPauseMs, done);
    signal.addEventListener('abort', done, { once: true });
    await promise;
    timer.cancel();
    signal.removeEventListener('abort', done);
  }
}
