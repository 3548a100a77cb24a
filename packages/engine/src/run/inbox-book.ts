/**
 * What one attempt knows of its job's inbox (`docs/internals/inbox.md`). It owns the unread items; what they answer,
 * `inside-book.ts` decides.
 *
 *   1. `heard` is raised by answers of the inbox only: an item that came with an append's acknowledgement may have a higher
 *      number than one that is still to be heard of.
 *   2. An item is given out once, however often it comes.
 */
import type { InboxBody, InboxItem } from '@mvm-ci/protocol';

/** An item with a body of this type. */
export type ItemOf<Type extends InboxBody['type']> = InboxItem & { readonly body: { readonly type: Type } };

export class InboxBook {
  /** By number, ascending. */
  readonly #unread = new Map<number, InboxItem>();
  /** Given out, and to be expected again (2). */
  readonly #given = new Set<number>();
  #heard = 0;

  /** The highest number up to which all items are known. */
  get heard(): number {
    return this.#heard;
  }

  /** What is unread, the oldest first. */
  get unread(): readonly InboxItem[] {
    return [...this.#unread.values()];
  }

  /** Whether this item is unread. */
  has(number: number): boolean {
    return this.#unread.has(number);
  }

  /** The inbox's own answer: all items above `heard`, or the first of them. */
  hear(items: readonly InboxItem[]): void {
    for (const item of items) {
      this.#add(item);
      this.#heard = Math.max(this.#heard, item.number);
      this.#given.delete(item.number);
    }
  }

  /** Items that came otherwise (1). */
  add(items: readonly InboxItem[]): void {
    for (const item of items) this.#add(item);
  }

  /** Gives out an item: it isn't unread any more. */
  take(number: number): void {
    this.#unread.delete(number);
    if (number > this.#heard) this.#given.add(number);
  }

  /** The oldest unread item that `isWanted`. */
  oldest<Item extends InboxItem>(isWanted: (item: InboxItem) => item is Item): Item | undefined {
    for (const item of this.#unread.values()) if (isWanted(item)) return item;
    return undefined;
  }

  #add(item: InboxItem): void {
    if (item.number <= this.#heard || this.#given.has(item.number) || this.#unread.has(item.number)) return;
    this.#unread.set(item.number, item);
  }
}

/** Whether an item says this. */
export const isOf =
  <Type extends InboxBody['type']>(type: Type, isWanted: (body: ItemOf<Type>['body']) => boolean) =>
  (item: InboxItem): item is ItemOf<Type> =>
    hasType(item, type) && isWanted(item.body);

const hasType = <Type extends InboxBody['type']>(item: InboxItem, type: Type): item is ItemOf<Type> =>
  item.body.type === type;
