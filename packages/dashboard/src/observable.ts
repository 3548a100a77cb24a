/** One value that components follow. */
import { useEffect, useState } from 'preact/hooks';

/** Holds a value, and tells its followers of each other one. */
export class Observable<T> {
  readonly #followers = new Set<(value: T) => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (value === this.#value) return;
    this.#value = value;
    for (const follower of this.#followers) follower(value);
  }

  /** @returns what ends it */
  follow(follower: (value: T) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }
}

/** The value as it is now; the component is drawn again when it is another. */
export const useObservable = <T>(observable: Observable<T>): T => {
  const [value, setValue] = useState(observable.value);
  useEffect(() => {
    // It may have changed between the first drawing and now.
    setValue(() => observable.value);
    return observable.follow((next) => setValue(() => next));
  }, [observable]);
  return value;
};
