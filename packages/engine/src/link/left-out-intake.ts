/**
 * The entries that a run began without, on their way from the holder: a snapshot stands for them, and they come when the run needs
 * them after all.
 */
import {
  decodeEntries,
  limits,
  linkLimits,
  mvmError,
  type Clock,
  type JournalEntry,
  type MvmError,
  type Timer,
} from '@mvm-ci/protocol';

export interface LeftOutIntakeOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Asks the holder for them. */
  readonly onWanted: () => void;
  /** The holder is silent for too long. */
  readonly onSilent: (error: MvmError) => void;
}

export class LeftOutIntake {
  readonly #options: LeftOutIntakeOptions;
  readonly #entries: JournalEntry[] = [];
  #bytes = 0;
  #call: PromiseWithResolvers<readonly JournalEntry[]> | undefined;
  #isOver = false;
  #patience: Timer | undefined;

  constructor(options: LeftOutIntakeOptions) {
    this.#options = options;
  }

  /** Asks for them, once. @throws what the holder says; CONNECTION_LOST when it is gone */
  ask(): Promise<readonly JournalEntry[]> {
    if (this.#call) return this.#call.promise;
    this.#call = Promise.withResolvers();
    this.#call.promise.catch(() => undefined);
    this.#wait();
    this.#options.onWanted();
    return this.#call.promise;
  }

  /** A part has come. @throws INVALID_ARGUMENT when nobody waits for it; LIMIT_EXCEEDED */
  take(bytes: Uint8Array, isLast: boolean): void {
    if (!this.#call || this.#isOver)
      throw mvmError('INVALID_ARGUMENT', 'a part of a journal came that nobody asked for');
    this.#bytes += bytes.length;
    const entries = decodeEntries(bytes);
    if (this.#bytes > limits.journalBytesMax || this.#entries.length + entries.length > limits.journalEntriesMax)
      throw mvmError('LIMIT_EXCEEDED', `a journal has at most ${limits.journalEntriesMax} entries`);
    for (const entry of entries) this.#entries.push(entry);
    if (bytes.length > 0) this.#wait();
    if (!isLast) return;
    this.#end();
    this.#call.resolve(this.#entries);
  }

  /** They won't come. Idempotent. */
  fail(error: MvmError): void {
    this.#end();
    this.#call?.reject(error);
  }

  #wait(): void {
    const { clock, onSilent } = this.#options;
    const ms = linkLimits.holderSilenceMsMax;
    this.#patience?.cancel();
    this.#patience = clock.after(ms, () =>
      onSilent(mvmError('DEADLINE_EXCEEDED', `the holder sent nothing of the journal for ${ms / 1_000} s`)),
    );
  }

  #end(): void {
    this.#isOver = true;
    this.#patience?.cancel();
  }
}
