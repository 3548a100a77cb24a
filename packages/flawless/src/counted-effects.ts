import type { EffectPerformer } from '@mvm-ci/engine';
import type { Clock } from '@mvm-ci/protocol';

/** What became of the requests of workflows so far. */
export interface EffectCounts {
  /** Under way. */
  readonly open: number;
  /** Answered, whatever the status. */
  readonly answered: number;
  /** Without an answer: the connection failed, or took too long. */
  readonly failed: number;
  /** Given up: the run is over, or goes on elsewhere. */
  readonly aborted: number;
  /** Time that those which are over took, all together. */
  readonly seconds: number;
}

/** Performs effects by `performer`, and counts them. */
export class CountedEffects implements EffectPerformer {
  readonly #performer: EffectPerformer;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #counts = { open: 0, answered: 0, failed: 0, aborted: 0, seconds: 0 };

  constructor(performer: EffectPerformer, clock: Pick<Clock, 'monotonicMs'>) {
    this.#performer = performer;
    this.#clock = clock;
  }

  get counts(): EffectCounts {
    return { ...this.#counts };
  }

  async fetch(...[order, options]: Parameters<EffectPerformer['fetch']>): ReturnType<EffectPerformer['fetch']> {
    const startMs = this.#clock.monotonicMs();
    let outcome: 'answered' | 'failed' | 'aborted' = 'aborted';
    this.#counts.open += 1;
    try {
      const answer = await this.#performer.fetch(order, options);
      outcome = answer.type === 'error' ? 'failed' : 'answered';
      return answer;
    } finally {
      this.#counts.open -= 1;
      this.#counts[outcome] += 1;
      this.#counts.seconds += (this.#clock.monotonicMs() - startMs) / 1_000;
    }
  }
}
