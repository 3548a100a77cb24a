/**
 * The sink of one holder of an attempt in a SQLite journal store. It owns what was appended and isn't sent yet; the store
 * decides when it is sent, and says what became of it.
 *
 *   1. What gathers goes in one write, in the order in which it came.
 *   2. Calls settle in their order. After one was refused, all are.
 *   3. There is no inbox and no other job here: what asks for an effect inside the system is refused, before anything of it
 *      is stored. An entry without its effect would be taken for done on replay.
 */
import {
  encodeEntries,
  type FinishOutcome,
  type JobProgress,
  type JournalEntry,
  mvmError,
  type MvmError,
} from '@mvm-ci/protocol';
import { appended, type AppendExtras, type Appended, type JournalSink } from '../journal.ts';
import type { HoldRef, SqliteWrite } from './sqlite-message.ts';

/** What waits for one write. */
export type SinkCall = Pick<PromiseWithResolvers<Appended>, 'resolve' | 'reject'>;

export class SqliteHold implements JournalSink {
  readonly #ref: HoldRef;
  readonly #offer: (hold: SqliteHold) => void;
  #entries: JournalEntry[] = [];
  #progress: JobProgress | undefined;
  #outcome: FinishOutcome | undefined;
  #calls: SinkCall[] = [];
  #refused: MvmError | undefined;

  /** `offer` is called when there is something to {@link SqliteHold.take}. */
  constructor(ref: HoldRef, offer: (hold: SqliteHold) => void) {
    this.#ref = ref;
    this.#offer = offer;
  }

  append(entries: readonly JournalEntry[], { progress, internal }: AppendExtras = {}): Promise<Appended> {
    this.#object(internal);
    this.#progress = progress ?? this.#progress;
    return this.#gather(entries);
  }

  async finish(
    entries: readonly JournalEntry[],
    outcome: FinishOutcome,
    { internal }: AppendExtras = {},
  ): Promise<void> {
    this.#object(internal);
    this.#outcome = outcome;
    await this.#gather(entries);
  }

  /** What has gathered, as one write, and who waits for it. */
  take(): { readonly write: SqliteWrite; readonly calls: readonly SinkCall[] } {
    const { row, epoch } = this.#ref;
    const [entries, calls, progress] = [this.#entries, this.#calls, this.#progress];
    this.#entries = [];
    this.#calls = [];
    this.#progress = undefined;
    const [count, bytes] = [entries.length, encodeEntries(entries)];
    return { write: { type: 'write', row, epoch, count, bytes, progress, outcome: this.#outcome }, calls };
  }

  /** Those calls are done: durable, or refused, and then this holder is refused for good. */
  settle(calls: readonly SinkCall[], error: MvmError | undefined): void {
    if (!error) {
      for (const call of calls) call.resolve(appended);
      return;
    }
    this.#refused = error;
    for (const call of [...calls, ...this.#calls]) call.reject(error);
    this.#calls = [];
  }

  /** Rule 3. */
  #object(internal: AppendExtras['internal']): void {
    if (internal !== undefined && internal.length > 0) this.#refused ??= standsAlone;
  }

  #gather(entries: readonly JournalEntry[]): Promise<Appended> {
    if (this.#refused) return Promise.reject(this.#refused);
    for (const entry of entries) this.#entries.push(entry);
    const { promise, resolve, reject } = Promise.withResolvers<Appended>();
    this.#calls.push({ resolve, reject });
    this.#offer(this);
    return promise;
  }
}

const standsAlone = mvmError(
  'INVALID_ARGUMENT',
  'this journal store stands alone: its workflows have no messages, no child jobs and no early response; run them at a control plane',
);
