/**
 * The calls of one attempt: which numbers were given out, and which still wait for an answer. Numbers come from the guest
 * and are checked here (step-machine.md, rule 5).
 */
import type { EffectIntent, Intent, JoinIntent, ReceiveIntent, SleepIntent } from '@mvm-ci/protocol';
import { isEffect } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import type { Failure } from './outcome.ts';

/** A call that waits for its answer. */
export interface OpenCall<Call extends EffectIntent = EffectIntent> {
  readonly intent: Call;
  /** Guest time at which it was made, Unix ms. */
  readonly madeAt: number;
}

export class CallBook {
  readonly #open = new Map<number, OpenCall>();
  /** Those of them that the inbox answers, in the order in which they were made. */
  readonly #listeners = new Map<number, ReceiveIntent | JoinIntent>();
  readonly #sleepers = new Map<number, OpenCall<SleepIntent>>();
  #last = 0;

  /** Goes on where another book stood. */
  restore(open: readonly OpenCall[], last: number): void {
    for (const { intent, madeAt } of open) this.add([intent], madeAt);
    this.#last = last;
  }

  /** The last number that was given out. */
  get last(): number {
    return this.#last;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Open calls in the order in which they were made. */
  get open(): readonly OpenCall[] {
    return [...this.#open.values()];
  }

  has(call: number): boolean {
    return this.#open.has(call);
  }

  get(call: number): OpenCall | undefined {
    return this.#open.get(call);
  }

  /** Open calls that the inbox answers, in the order in which they were made. */
  get listeners(): readonly (ReceiveIntent | JoinIntent)[] {
    return [...this.#listeners.values()];
  }

  /** Whether an item of the inbox may answer a call. */
  get isListening(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whether all that is open are sleeps and what the inbox answers: nothing goes on outside. */
  get isWaiting(): boolean {
    return this.#open.size > 0 && this.isQuiet;
  }

  /** Whether nothing goes on outside: there may be calls that nobody performs. */
  get isQuiet(): boolean {
    return this.#open.size === this.#listeners.size + this.#sleepers.size;
  }

  /** When the first sleep ends, Unix ms; infinity without one. */
  get wakeAtMs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { intent, madeAt } of this.#sleepers.values()) earliest = Math.min(earliest, madeAt + intent.ms);
    return earliest;
  }

  /** Why these intents break the rules, or undefined. Changes nothing. */
  objection(intents: readonly Intent[]): Failure | undefined {
    let last = this.#last;
    for (const [index, intent] of intents.entries()) {
      const isEnd = intent.type === 'complete' || intent.type === 'fail';
      if (isEnd && index < intents.length - 1) return protocolFailure(`"${intent.type}" must be the last intent`);
      if (isEffect(intent)) {
        if (intent.call !== last + 1) return protocolFailure(`call ${last + 1} comes next, received ${intent.call}`);
        last += 1;
      }
      if (intent.type === 'abandon' && intent.call > last)
        return protocolFailure(`call ${intent.call} can't be abandoned: the last call is ${last}`);
    }
    return this.#tooMany(intents);
  }

  /** Takes over the intents of one step, made at guest time `madeAt`. */
  add(intents: readonly Intent[], madeAt: number): void {
    for (const intent of intents) {
      if (intent.type === 'abandon') this.close(intent.call);
      if (!isEffect(intent)) continue;
      this.#open.set(intent.call, { intent, madeAt });
      if (intent.type === 'receive' || intent.type === 'join') this.#listeners.set(intent.call, intent);
      if (intent.type === 'sleep') this.#sleepers.set(intent.call, { intent, madeAt });
      this.#last = intent.call;
    }
  }

  /** The call is over: answered or abandoned. */
  close(call: number): void {
    this.#open.delete(call);
    this.#listeners.delete(call);
    this.#sleepers.delete(call);
  }

  #tooMany(intents: readonly Intent[]): Failure | undefined {
    const open = this.#open.size + intents.filter(isEffect).length;
    if (open <= engineLimits.openCallsMax) return undefined;
    return {
      code: 'LIMIT_EXCEEDED',
      message: `at most ${engineLimits.openCallsMax} calls of a job may wait for answers, this step brings ${open}`,
      details: { limit: engineLimits.openCallsMax, received: open },
    };
  }
}

const protocolFailure = (rule: string): Failure => ({
  code: 'GUEST_PROTOCOL',
  message: `the guest's intents are wrong: ${rule}`,
});
