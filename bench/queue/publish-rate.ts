/** Publishing alone, over HTTP: how fast jobs become durable, by the size of a request and the number under way. */
import { Dispenser, runLanes, timed, type Amount } from '../lanes.ts';
import type { Tally } from '../tally.ts';
import type { HttpCaller } from '../http-caller.ts';
import { publishOverHttp } from './queue-caller.ts';

/** What to publish. */
export interface PublishOptions {
  readonly http: HttpCaller;
  /** Begins the ids of these jobs. */
  readonly prefix: string;
  readonly jobs: Amount;
  /** Jobs in each request. */
  readonly batch: number;
  /** Requests at a time. */
  readonly lanes: number;
  /** Of plain jobs. @default workflows are published */
  readonly handler?: string;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** @returns jobs per second */
export const measurePublish = async (options: PublishOptions): Promise<number> => {
  const { http, prefix, jobs, batch, lanes, handler, tally, signal } = options;
  const dispenser = new Dispenser(jobs);
  const seconds = await timed(() =>
    runLanes(lanes, async () => {
      for (let numbers = dispenser.take(batch); numbers.length > 0; numbers = dispenser.take(batch)) {
        signal.throwIfAborted();
        const ids = numbers.map((number) => `${prefix}-${number}`);
        await publishOverHttp(http, ids, handler);
        tally.published(ids);
      }
    }),
  );
  return dispenser.taken / seconds;
};
