/** A job's inbox in memory, and what becomes of its internal effects: for tests, and for runs whose history nobody needs. */
import type { ErrorRecord, InboxBody, InboxItem, InternalEffect } from '@mvm-ci/protocol';

/** What an internal effect asks of the system around the job. */
export type OutwardEffect = Exclude<InternalEffect, { readonly type: 'consume' }>;

/** Applies an effect; what it returns is why it was refused. */
export type ApplyEffect = (effect: OutwardEffect) => ErrorRecord | undefined;

export class MemoryInbox {
  readonly #items = new Map<number, InboxItem>();
  #last = 0;
  #changed = Promise.withResolvers<void>();

  /** What is unread, lowest number first. */
  get items(): readonly InboxItem[] {
    return [...this.#items.values()];
  }

  /** Puts an item into the inbox. */
  put(body: InboxBody, at = 0): InboxItem {
    this.#last += 1;
    const item = { number: this.#last, at, body };
    this.#items.set(item.number, item);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    return item;
  }

  /** Resolves with the items above `after` as soon as there are some, and with none when `signal` fires. */
  async after(after: number, signal: AbortSignal): Promise<readonly InboxItem[]> {
    const aborted = Promise.withResolvers<void>();
    const giveUp = (): void => aborted.resolve();
    signal.addEventListener('abort', giveUp, { once: true });
    while (!signal.aborted) {
      const items = this.items.filter(({ number }) => number > after);
      if (items.length > 0) return items;
      await Promise.race([this.#changed.promise, aborted.promise]);
    }
    return [];
  }

  /** Applies what goes along with an append. @returns the items of what was refused */
  apply(effects: readonly InternalEffect[], apply: ApplyEffect): readonly InboxItem[] {
    return effects.flatMap((effect) => {
      if (effect.type === 'consume') {
        for (const number of effect.items) this.#items.delete(number);
        return [];
      }
      const error = apply(effect);
      if (!error || effect.type === 'respond') return [];
      return [this.put({ type: 'refused', call: effect.call, error })];
    });
  }
}
