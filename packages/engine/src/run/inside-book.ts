/**
 * What an attempt does inside the system, and what comes back: children, messages, the early response
 * (`docs/internals/inbox.md`). It owns the books of the inbox and of the children; whether a call is still open, its
 * caller knows.
 *
 *   1. An item is consumed by the append whose entry tells the guest of it, and by no other (I7).
 *   2. A start or a send whose entry is durable was refused if the inbox says so, and is done otherwise: nobody is asked.
 *   3. Items that nothing can ever tell the guest of (a refusal of a call that is closed) are consumed with the next entries.
 */
import {
  childJobId,
  isErrorCode,
  optionsOf,
  type Answer,
  type EffectIntent,
  type ErrorRecord,
  type InboxItem,
  type Intent,
  type InternalEffect,
  type JoinIntent,
  type ReceiveIntent,
  type SendIntent,
  type StartIntent,
} from '@mvm-ci/protocol';
import type { OpenCall } from './call-book.ts';
import { ChildBook, type ChildFacts } from './child-book.ts';
import { InboxBook, isOf } from './inbox-book.ts';

/** An answer, and the inbox item that is consumed with it. */
export interface Found {
  readonly answer: Answer;
  readonly item?: number | undefined;
}

/** Whose attempt it is. */
export interface InsideFacts {
  readonly job: string;
  readonly attempt: number;
  readonly inbox: readonly InboxItem[];
}

export class InsideBook {
  readonly #facts: InsideFacts;
  readonly #inbox = new InboxBook();
  readonly #children = new ChildBook();
  #hasResponded = false;
  /** To be consumed with the next entries. */
  #read: number[] = [];

  constructor(facts: InsideFacts) {
    this.#facts = facts;
    this.#inbox.hear(facts.inbox);
  }

  /** What it knows beside the inbox. */
  get facts(): { readonly hasResponded: boolean; readonly children: ChildFacts } {
    return { hasResponded: this.#hasResponded, children: this.#children.facts };
  }

  /** Goes on where another book stood, with this inbox. */
  restore({ hasResponded, children }: InsideBook['facts']): void {
    this.#hasResponded = hasResponded;
    this.#children.restore(children);
  }

  /** The highest item number up to which all are known. */
  get heard(): number {
    return this.#inbox.heard;
  }

  /** Takes over the intents of one step. @returns what is to be applied with their entry */
  ask(intents: readonly Intent[]): readonly InternalEffect[] {
    return intents.flatMap((intent) => this.#ask(intent));
  }

  /** An answer that is recorded already. */
  recall(intent: EffectIntent, answer: Answer): void {
    if (answer.type === 'message' || answer.type === 'joined') this.#waste(answer.item);
    if (intent.type === 'join' && answer.type === 'joined')
      this.#children.ended(intent.job, { item: answer.item, outcome: answer.outcome });
    if (intent.type === 'start' && answer.type === 'error')
      this.#children.refused(this.#childOf(intent), intent.call, refusalOf(answer));
  }

  /** The journal is recalled, with these calls open. */
  recalled(open: readonly OpenCall[]): void {
    const calls = new Set(open.map(({ intent }) => intent.call));
    for (const { number, body } of this.#inbox.unread)
      if (body.type === 'refused' && !calls.has(body.call)) this.#waste(number);
  }

  /** What the inbox has answered. */
  hear(items: readonly InboxItem[]): void {
    this.#inbox.hear(items);
  }

  /** What an append's acknowledgement says was refused. */
  addRefused(items: readonly InboxItem[]): void {
    this.#inbox.add(items);
  }

  /** What became of a start or a send whose entry is durable. */
  settle(intent: StartIntent | SendIntent): Found {
    const item = this.#inbox.oldest(isOf('refused', ({ call }) => call === intent.call));
    if (item) {
      const { error } = item.body;
      if (intent.type === 'start') this.#children.refused(this.#childOf(intent), intent.call, error);
      return this.#take(item, { type: 'error', code: error.code, message: error.message });
    }
    return { answer: intent.type === 'start' ? { type: 'started', job: this.#childOf(intent) } : { type: 'sent' } };
  }

  /** The call is over without an answer: what the inbox says of it tells nobody anything. */
  giveUp(call: number): void {
    const item = this.#inbox.oldest(isOf('refused', (body) => body.call === call));
    if (item) this.#waste(item.number);
  }

  /** What a receive or a join can be told now. */
  find(intent: ReceiveIntent | JoinIntent): Found | undefined {
    return intent.type === 'receive' ? this.#receive(intent) : this.#join(intent);
  }

  /** These items were given out and are consumed next: entries tell of them, or nobody wants them any more. */
  read(items: readonly number[]): void {
    this.#read.push(...items);
  }

  /** What is consumed with the next entries. */
  consume(): readonly InternalEffect[] {
    const items = this.#read;
    this.#read = [];
    return items.length > 0 ? [{ type: 'consume', items }] : [];
  }

  #ask(intent: Intent): readonly InternalEffect[] {
    switch (intent.type) {
      case 'start': {
        const { call, workflow, input, attemptsMax, detached, options } = intent;
        const job = this.#childOf(intent);
        this.#children.started(job, call);
        const start = { type: 'start', call, job, workflow, input, attemptsMax, detached } as const;
        return [options === undefined ? start : { ...start, options: optionsOf(options) }];
      }
      case 'send': {
        const { type, call, job, messageType, data } = intent;
        return [{ type, call, job, messageType, data }];
      }
      case 'respond': {
        if (this.#hasResponded) return [];
        this.#hasResponded = true;
        return [{ type: 'respond', value: intent.value }];
      }
      default:
        return [];
    }
  }

  #receive({ types }: ReceiveIntent): Found | undefined {
    const item = this.#inbox.oldest(isOf('message', ({ messageType }) => types?.includes(messageType) ?? true));
    if (!item) return undefined;
    const { from, messageType, data } = item.body;
    return this.#take(item, { type: 'message', item: item.number, from, messageType, data });
  }

  #join({ job }: JoinIntent): Found | undefined {
    const item = this.#inbox.oldest(isOf('child', (body) => body.job === job));
    if (item) {
      const end = { item: item.number, outcome: item.body.outcome };
      this.#children.ended(job, end);
      return this.#take(item, { type: 'joined', ...end });
    }
    const end = this.#children.end(job);
    if (end) return { answer: { type: 'joined', item: end.item, outcome: end.outcome } };
    const error = this.#children.objection(job);
    return error && { answer: { type: 'error', code: error.code, message: error.message } };
  }

  #take({ number }: InboxItem, answer: Answer): Found {
    this.#inbox.take(number);
    return { answer, item: number };
  }

  #waste(number: number): void {
    if (!this.#inbox.has(number)) return;
    this.#inbox.take(number);
    this.#read.push(number);
  }

  #childOf({ job, call }: StartIntent): string {
    return job ?? childJobId(this.#facts.job, this.#facts.attempt, call);
  }
}

const refusalOf = ({ code, message }: Answer & { readonly type: 'error' }): ErrorRecord => ({
  code: isErrorCode(code) ? code : 'INTERNAL',
  message,
});
