/**
 * How many bytes a channel may hold for its readers. When it is full nobody gets more credit, except the conversation
 * that has waited longest: it can finish its message, is read, and makes room. So one message always fits.
 */

/** Who waits for credit. */
export interface Creditor {
  /** Gives credit if {@link Budget.allows} lets it. */
  grant(): void;
}

export class Budget {
  readonly #bytesMax: number;
  readonly #waiting = new Set<Creditor>();
  readonly #unpacking = new Set<() => void>();
  #held = 0;
  #unpackings = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held now. */
  get held(): number {
    return this.#held;
  }

  take(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.#wake();
  }

  /** Whether `creditor` may give credit now; if not, it is called when it may. */
  allows(creditor: Creditor): boolean {
    if (this.#held <= this.#bytesMax) {
      this.#waiting.delete(creditor);
      return true;
    }
    this.#waiting.add(creditor);
    return this.#waiting.values().next().value === creditor;
  }

  /** `creditor` needs no more for now. */
  forget(creditor: Creditor): void {
    if (this.#waiting.delete(creditor)) this.#wake();
  }

  /** Takes room for a message that is about to be unpacked, now or when there is some; one is always let through. */
  reserve(bytes: number): Promise<void> | undefined {
    const take = (): void => {
      this.#held += bytes;
      this.#unpackings += 1;
    };
    if (this.#hasRoom(bytes)) {
      take();
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unpacking.add(() => {
      take();
      resolve();
    });
    return promise;
  }

  /** Gives back what {@link reserve} took. */
  release(bytes: number): void {
    this.#unpackings -= 1;
    this.give(bytes);
  }

  #hasRoom(bytes: number): boolean {
    return this.#unpackings === 0 || this.#held + bytes <= this.#bytesMax;
  }

  #wake(): void {
    for (const next of this.#unpacking) {
      if (!this.#hasRoom(0)) break;
      this.#unpacking.delete(next);
      next();
    }
    for (const creditor of this.#waiting) {
      creditor.grant();
      if (this.#held > this.#bytesMax) return;
    }
  }
}
