import { isIdempotent, type EffectPerformer } from '@mvm-ci/engine';
import type { EffectClass, EffectCounts, EffectOutcome } from '@mvm-ci/metrics';
import type { Clock } from '@mvm-ci/protocol';

const nothing = (): Record<EffectOutcome, number> => ({ answered: 0, failed: 0, aborted: 0 });

/** Performs effects by `performer`, and counts them. */
export class CountedEffects implements EffectPerformer {
  readonly #performer: EffectPerformer;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #ended = { idempotent: nothing(), at_most_once: nothing() };
  #open = 0;
  #seconds = 0;

  constructor(performer: EffectPerformer, clock: Pick<Clock, 'monotonicMs'>) {
    this.#performer = performer;
    this.#clock = clock;
  }

  get counts(): EffectCounts {
    const { idempotent, at_most_once: atMostOnce } = this.#ended;
    return {
      open: this.#open,
      ended: { idempotent: { ...idempotent }, at_most_once: { ...atMostOnce } },
      seconds: this.#seconds,
    };
  }

  async fetch(...[order, options]: Parameters<EffectPerformer['fetch']>): ReturnType<EffectPerformer['fetch']> {
    const startMs = this.#clock.monotonicMs();
    const kind: EffectClass = isIdempotent(order.intent) ? 'idempotent' : 'at_most_once';
    let outcome: EffectOutcome = 'aborted';
    this.#open += 1;
    try {
      const answer = await this.#performer.fetch(order, options);
      outcome = answer.type === 'error' ? 'failed' : 'answered';
      return answer;
    } finally {
      this.#open -= 1;
      this.#ended[kind][outcome] += 1;
      this.#seconds += (this.#clock.monotonicMs() - startMs) / 1_000;
    }
  }
}
