/**
 * What the `journey` workflow asks: pages to look at, and bookings, which must be sent once. It can hold back one request of
 * each job, so that all jobs stand still in the middle with something in flight; and it judges what has arrived.
 *
 *   1. Of jobs whose names end in an even number it holds back a look, which may be sent again; of the others a booking,
 *      which may not.
 */
import assert from 'node:assert/strict';
import type { AuditedJournal } from '@mvm-ci/testkit';
import { Receiver, type Request } from './receiver.ts';

const heldPaths = [/^\/look\/1\/left$/, /^\/book\/1\?/] as const;
/** Of one job. */
const requestsAtOnce = 2;

/** A receiver for journeys. */
export class BookingOffice implements AsyncDisposable {
  readonly #receiver: Receiver;
  readonly #desk: Desk;

  private constructor(receiver: Receiver, desk: Desk) {
    this.#receiver = receiver;
    this.#desk = desk;
  }

  static async start(): Promise<BookingOffice> {
    const desk = new Desk();
    return new BookingOffice(await Receiver.start((request, respond) => desk.take(request, respond)), desk);
  }

  get url(): string {
    return this.#receiver.url;
  }

  get requests(): readonly Request[] {
    return this.#receiver.requests;
  }

  /** From now on one request of each job gets no answer. */
  hold(): void {
    this.#desk.isHolding = true;
  }

  /** Waits until `jobs` jobs stand still. */
  stillstand(jobs: number): Promise<void> {
    return this.#receiver.arrivals(jobs, isHeldBack);
  }

  /** Answers what was held back, and all that comes. */
  release(): void {
    this.#desk.release();
  }

  /** What a journey of so many stages returns. */
  answersOf(stages: number): readonly string[] {
    return Array.from({ length: stages }, (_, stage) => [
      `/look/${stage}/left`,
      `/look/${stage}/right`,
      `/book/${stage}`,
    ]).flat();
  }

  /** Fails unless everything came once, or again only because its answer was lost with the run of a disturbed job. */
  assertOnce(journals: readonly AuditedJournal[], disturbed: number): void {
    const bookings = this.requests.filter(({ method }) => method === 'POST').map(({ path }) => path);
    assert.equal(new Set(bookings).size, bookings.length, 'a booking was sent twice');
    const byKey = Map.groupBy(this.requests, ({ key }) => key);
    const again = this.requests.length - byKey.size;
    assert.ok(again <= disturbed * requestsAtOnce, `${again} requests came again, ${disturbed} jobs were disturbed`);
    for (const journal of journals) {
      for (const [call, arrival] of answersIn(journal)) {
        const key = `${journal.job_id}:${journal.attempt}:${call}`;
        assert.equal(byKey.get(key)?.length, arrival, `${key} was sent again after its answer was durable`);
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#receiver[Symbol.asyncDispose]();
  }
}

type Respond = (status: number, text: string) => void;

class Desk {
  isHolding = false;
  readonly #booked = new Set<string>();
  readonly #held: (() => void)[] = [];

  take(request: Request, respond: Respond): void {
    const { method, path } = request;
    const isBooking = path.startsWith('/book/');
    if (isBooking && method === 'POST') this.#booked.add(path);
    const status = isBooking && !this.#booked.has(path) ? 404 : 200;
    const answer = (): void => respond(status, path.replace(/\?.*/, ''));
    if (this.isHolding && isHeldBack(request)) this.#held.push(answer);
    else answer();
  }

  release(): void {
    this.isHolding = false;
    for (const answer of this.#held.splice(0)) answer();
  }
}

/** Rule 1. */
const isHeldBack = ({ key, path, method }: Request): boolean => {
  const isOdd = Number(/(\d+):/.exec(key)?.[1]) % 2 === 1;
  return isOdd ? method === 'POST' && heldPaths[1].test(path) : heldPaths[0].test(path);
};

/** The calls that a journal has the receiver's answer to, and which arrival each answer was for. */
const answersIn = ({ entries }: AuditedJournal): readonly (readonly [call: string, arrival: number])[] =>
  entries.flatMap((entry) => {
    const arrival = /\["arrival","(\d+)"\]/.exec(JSON.stringify(entry))?.[1];
    return entry.kind === 'answered' && arrival !== undefined ? [[String(entry['call']), Number(arrival)]] : [];
  });
