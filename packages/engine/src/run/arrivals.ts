/** Answers that came during a step and wait for its intents (step-machine.md, rule 3). */
import type { Answer } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { answerBytes } from './entry-size.ts';
import type { Found } from './inside-book.ts';

/** An answer to a call. */
export interface Arrival extends Found {
  readonly call: number;
}

export class Arrivals {
  #waiting: Arrival[] = [];

  /** Keeps an answer until the step ends, unless its call has one; one that would be too much is answered as such instead. */
  keep(arrival: Arrival): void {
    if (this.#waiting.some(({ call }) => call === arrival.call)) return;
    const bytes = this.#waiting.reduce((sum, { answer }) => sum + answerBytes(answer), answerBytes(arrival.answer));
    const limit = engineLimits.waitingAnswersBytesMax;
    this.#waiting.push(bytes <= limit ? arrival : { call: arrival.call, answer: tooMuchWaits(limit, bytes) });
  }

  /** Gives out what waits. */
  drain(): readonly Arrival[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}

const tooMuchWaits = (limit: number, bytes: number): Answer => ({
  type: 'error',
  code: 'LIMIT_EXCEEDED',
  message: `answers that wait for a step may have ${limit} bytes together, with this one they have ${bytes}: ask for less at a time`,
});
