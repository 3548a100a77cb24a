/**
 * How many bytes of unfinished request bodies one node may have here at a time, over all of its connections: each is within its
 * route's limit, but a node may send hundreds at once, and each as slowly as it likes.
 */
import { mvmError } from '@mvm-ci/protocol';

/** A body's share of its sender's budget, which is given back when it is disposed of. */
export interface BodyShare extends Disposable {
  /** The body has this many bytes more. @throws UNAVAILABLE when the budget has no room for them */
  take(bytes: number): void;
}

/** A share of what has no budget. */
export const freeShare: BodyShare = { take: () => undefined, [Symbol.dispose]: () => undefined };

/** See the head of this file. */
export class BodyBudget {
  readonly #bytesMax: number;
  readonly #taken = new Map<string, number>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Begins a body of `node`. */
  share(node: string): BodyShare {
    let own = 0;
    return {
      take: (bytes) => {
        this.#add(node, bytes);
        own += bytes;
      },
      [Symbol.dispose]: () => {
        this.#add(node, -own);
        own = 0;
      },
    };
  }

  #add(node: string, bytes: number): void {
    const taken = (this.#taken.get(node) ?? 0) + bytes;
    if (bytes > 0 && taken > this.#bytesMax) {
      const rule = `the request bodies that a node sends at the same time have at most ${this.#bytesMax} bytes together`;
      throw mvmError('UNAVAILABLE', `${rule}: send this one when others are done`, { bytesMax: this.#bytesMax });
    }
    if (taken === 0) this.#taken.delete(node);
    else this.#taken.set(node, taken);
  }
}
