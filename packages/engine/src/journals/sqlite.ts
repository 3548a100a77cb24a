/**
 * Journals of many attempts in one SQLite file, for an engine that stands alone. A thread owns the file; here the writes
 * of all attempts gather while a commit is under way, and go into the next one together (I2).
 *
 *   1. At most one commit is out. What gathers meanwhile makes one batch per attempt, in the order in which it came.
 *   2. A call resolves after the commit with its entries; calls of one attempt resolve in their order.
 *   3. After the store failed or was closed, every call rejects.
 */
import { Worker } from 'node:worker_threads';
import {
  chainHash,
  chainStart,
  encodeEntry,
  mvmError,
  readBatches,
  type FinishOutcome,
  type JobProgress,
  type JournalBatch,
  type JournalEntry,
  type MvmError,
} from '@mvm-ci/protocol';
import type { JournalSink } from '../journal.ts';
import type { HoldRef, SqliteAnswer, SqliteRequest, SqliteWrite } from './sqlite-message.ts';

/** A request before it has its number. */
type Ask = SqliteRequest extends infer Request ? (Request extends SqliteRequest ? Omit<Request, 'id'> : never) : never;

// Beside this file, with its extension: .ts in the repository, .js when built.
const entryPoint = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-thread.ts' : './sqlite-thread.js',
  import.meta.url,
);

/** An attempt that is held, and what its journal holds already. */
export interface HeldJournal {
  readonly sink: JournalSink;
  readonly entries: readonly JournalEntry[];
}

export class SqliteJournals implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #asked = new Map<number, PromiseWithResolvers<SqliteAnswer>>();
  readonly #dirty = new Set<SqliteHold>();
  #nextId = 1;
  #isCommitting = false;
  #failure: MvmError | undefined;

  /** Opens or makes the file at `path`. */
  constructor(path: string) {
    this.#worker = new Worker(entryPoint, { workerData: path });
    this.#worker.on('message', (answer: SqliteAnswer) => this.#receive(answer));
    this.#worker.on('error', (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', () => this.#fail('the store is closed'));
  }

  /**
   * Takes hold of an attempt: the holder before is refused from now on (I3).
   *
   * @throws {MvmError} `JOURNAL_CORRUPT` when what is stored doesn't fit together
   */
  async hold(job: string, attempt: number): Promise<HeldJournal> {
    const answer = await this.#ask({ type: 'hold', job, attempt });
    if (answer.type !== 'held') throw mvmError('INTERNAL', `the journal store answered "${answer.type}"`);
    const start = chainStart(job, attempt);
    const entries = readBatches(start, answer.batches);
    const position = { nextSeq: entries.length, hash: answer.batches.at(-1)?.hash ?? start };
    const sink = new SqliteHold({ job, attempt, epoch: answer.epoch }, position, (hold) => this.#offer(hold));
    return { sink, entries };
  }

  /** Writes what has gathered and closes the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#failure) return;
    await this.#ask({ type: 'close' });
    await this.#worker.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #offer(hold: SqliteHold): void {
    if (this.#failure) return hold.settle([], this.#failure);
    this.#dirty.add(hold);
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    queueMicrotask(() => void this.#commitAll());
  }

  async #commitAll(): Promise<void> {
    while (this.#dirty.size > 0) await this.#commit();
    this.#isCommitting = false;
  }

  async #commit(): Promise<void> {
    const holds = [...this.#dirty];
    this.#dirty.clear();
    const taken = holds.map((hold) => hold.take());
    try {
      const answer = await this.#ask({ type: 'write', writes: taken.map(({ write }) => write) });
      if (answer.type !== 'written') throw mvmError('INTERNAL', `the journal store answered "${answer.type}"`);
      for (const [index, hold] of holds.entries())
        hold.settle(taken[index]?.calls ?? [], answer.accepted[index] === true ? undefined : stale);
    } catch (error) {
      const failure = this.#failure ?? mvmError('INTERNAL', `the journal store failed: ${String(error)}`);
      for (const [index, hold] of holds.entries()) hold.settle(taken[index]?.calls ?? [], failure);
    }
  }

  #ask(request: Ask): Promise<SqliteAnswer> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const asked = Promise.withResolvers<SqliteAnswer>();
    this.#asked.set(id, asked);
    this.#worker.postMessage({ ...request, id });
    return asked.promise;
  }

  #receive(answer: SqliteAnswer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (answer.type === 'failed') asked?.reject(mvmError('INTERNAL', `the journal store failed: ${answer.message}`));
    else asked?.resolve(answer);
  }

  #fail(reason: string): void {
    this.#failure ??= mvmError('INTERNAL', `the journal store failed: ${reason}`);
    for (const asked of this.#asked.values()) asked.reject(this.#failure);
    this.#asked.clear();
  }
}

const stale = mvmError('STALE_LEASE', 'the journal has another holder now, or its hold has ended');

type Call = PromiseWithResolvers<void>;

/** The sink of one holder. */
class SqliteHold implements JournalSink {
  readonly #ref: HoldRef;
  readonly #offer: (hold: SqliteHold) => void;
  #position: { readonly nextSeq: number; readonly hash: Uint8Array };
  #entries: JournalEntry[] = [];
  #progress: JobProgress | undefined;
  #outcome: FinishOutcome | undefined;
  #calls: Call[] = [];
  #refused: MvmError | undefined;

  constructor(ref: HoldRef, position: { nextSeq: number; hash: Uint8Array }, offer: (hold: SqliteHold) => void) {
    this.#ref = ref;
    this.#position = position;
    this.#offer = offer;
  }

  append(entries: readonly JournalEntry[], progress?: JobProgress): Promise<void> {
    this.#progress = progress ?? this.#progress;
    return this.#gather(entries);
  }

  finish(entries: readonly JournalEntry[], outcome: FinishOutcome): Promise<void> {
    this.#outcome = outcome;
    return this.#gather(entries);
  }

  /** What has gathered, as one write. */
  take(): { readonly write: SqliteWrite; readonly calls: readonly Call[] } {
    const write = { ...this.#ref, batch: this.#nextBatch(), progress: this.#progress, outcome: this.#outcome };
    const calls = this.#calls;
    this.#calls = [];
    this.#progress = undefined;
    return { write, calls };
  }

  /** Those calls are done: durable, or refused, and then this holder is refused for good. */
  settle(calls: readonly Call[], error: MvmError | undefined): void {
    if (!error) return calls.forEach((call) => call.resolve());
    this.#refused = error;
    for (const call of [...calls, ...this.#calls]) call.reject(error);
    this.#calls = [];
  }

  #gather(entries: readonly JournalEntry[]): Promise<void> {
    if (this.#refused) return Promise.reject(this.#refused);
    const call = Promise.withResolvers<void>();
    this.#entries.push(...entries);
    this.#calls.push(call);
    this.#offer(this);
    return call.promise;
  }

  #nextBatch(): JournalBatch | undefined {
    if (this.#entries.length === 0) return undefined;
    const { nextSeq, hash } = this.#position;
    const bytes = new Uint8Array(Buffer.concat(this.#entries.map(encodeEntry)));
    const batch = { firstSeq: nextSeq, count: this.#entries.length, bytes };
    const linked = { ...batch, hash: chainHash(hash, batch) };
    this.#position = { nextSeq: nextSeq + batch.count, hash: linked.hash };
    this.#entries = [];
    return linked;
  }
}
