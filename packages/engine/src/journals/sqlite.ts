/**
 * Journals of many attempts in one SQLite file, for an engine that stands alone. A thread owns the file; here the requests
 * of all attempts gather while their turn comes, and go to it in one message (I2).
 *
 *   1. At most `journalListsMax` lists are out: while the thread commits one, the next one waits at its port, and what
 *      comes meanwhile makes one write per attempt.
 *   2. A call resolves after the commit with its entries; calls of one attempt resolve in their order.
 *   3. After the store failed or was closed, every call rejects.
 *   4. One process has the file open at a time; the next one's calls reject.
 */
import { Worker } from 'node:worker_threads';
import { decodeEntries, mvmError, type JournalEntry, type MvmError } from '@mvm-ci/protocol';
import type { JournalSink } from '../journal.ts';
import { engineLimits } from '../limits.ts';
import { atTurnEnd } from '../system-turn.ts';
import { SqliteHold } from './sqlite-hold.ts';
import { answersForm, requestsForm } from './sqlite-message.ts';
import type { JournalPiece, SqliteAnswer, SqliteRequest } from './sqlite-message.ts';

/** A request and what is done with its answer. */
interface Asked {
  readonly request: SqliteRequest;
  readonly settle: (answer: SqliteAnswer) => void;
  readonly fail: (error: MvmError) => void;
}

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
  /** Lists that are out, the oldest first. */
  readonly #out: (readonly Asked[])[] = [];
  readonly #dirty = new Set<SqliteHold>();
  #waiting: Asked[] = [];
  #isSending = false;
  #failure: MvmError | undefined;

  /** Opens or makes the file at `path`. */
  constructor(path: string) {
    this.#worker = new Worker(entryPoint, { workerData: path });
    this.#worker.on('message', (answers: Uint8Array) => this.#receive(answersForm.unpack(answers)));
    this.#worker.on('error', (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', () => this.#fail('the store is closed'));
  }

  /**
   * Takes hold of an attempt: the holder before is refused from now on (I3). A long journal is read in pieces, with turns
   * of the event loop between them.
   *
   * @throws {MvmError} `JOURNAL_CORRUPT` when what is stored doesn't fit together
   */
  async hold(job: string, attempt: number): Promise<HeldJournal> {
    const held = await this.#ask({ type: 'hold', job, attempt });
    if (held.type !== 'held') throw unexpected(held);
    const { row, epoch } = held;
    const entries: JournalEntry[] = [];
    for (let piece: JournalPiece | undefined = held.piece; piece;) {
      // The thread reads the next piece while this one is decoded.
      const next: Promise<JournalPiece> | undefined = piece.next === null ? undefined : this.#read(row, piece.next);
      take(piece, entries);
      piece = await next;
    }
    const sink = new SqliteHold({ row, epoch }, (hold) => this.#offer(hold));
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

  async #read(row: number, from: number): Promise<JournalPiece> {
    const answered = this.#ask({ type: 'read', row, from });
    if (this.#out.length < engineLimits.journalListsMax) this.#send();
    const answer = await answered;
    if (answer.type !== 'piece') throw unexpected(answer);
    return answer.piece;
  }

  #offer(hold: SqliteHold): void {
    if (this.#failure) return hold.settle([], this.#failure);
    this.#dirty.add(hold);
    this.#sendSoon();
  }

  #ask(request: SqliteRequest): Promise<SqliteAnswer> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<SqliteAnswer>();
    if (request.type !== 'write') this.#takeDirty();
    this.#waiting.push({ request, settle: resolve, fail: reject });
    this.#sendSoon();
    return promise;
  }

  /** What was appended before a hold is sent before it. */
  #takeDirty(): void {
    for (const hold of this.#dirty) {
      const { write, calls } = hold.take();
      this.#waiting.push({
        request: write,
        settle: (answer) => hold.settle(calls, refusal(answer)),
        fail: (error) => hold.settle(calls, error),
      });
    }
    this.#dirty.clear();
  }

  #sendSoon(): void {
    if (this.#isSending || this.#out.length >= engineLimits.journalListsMax) return;
    this.#isSending = true;
    atTurnEnd(() => this.#send());
  }

  #send(): void {
    this.#isSending = false;
    if (this.#failure) return;
    this.#takeDirty();
    const list = this.#waiting;
    this.#waiting = [];
    if (list.length === 0) return;
    const message = requestsForm.pack(list.map(({ request }) => request));
    this.#out.push(list);
    this.#worker.postMessage(message, [message.buffer]);
  }

  #receive(answers: readonly SqliteAnswer[]): void {
    let answered = 0;
    while (answered < answers.length) {
      const list = this.#out.shift() ?? [];
      for (const { settle } of list) {
        const answer = answers[answered++];
        if (answer) settle(answer);
      }
    }
    if (this.#dirty.size > 0 || this.#waiting.length > 0) this.#sendSoon();
  }

  #fail(reason: string): void {
    this.#failure ??= mvmError('INTERNAL', `the journal store failed: ${reason}`);
    this.#takeDirty();
    for (const { fail } of [...this.#out.flat(), ...this.#waiting]) fail(this.#failure);
    this.#out.length = 0;
    this.#waiting = [];
  }
}

/** Adds the piece's entries. */
const take = ({ bytes, count }: JournalPiece, entries: JournalEntry[]): void => {
  const decoded = decodeEntries(bytes);
  if (decoded.length !== count)
    throw mvmError('JOURNAL_CORRUPT', `a journal's batches hold ${decoded.length} entries and say ${count}`);
  for (const entry of decoded) entries.push(entry);
};

const refusal = (answer: SqliteAnswer): MvmError | undefined => {
  if (answer.type !== 'written') return unexpected(answer);
  return answer.accepted ? undefined : stale;
};

const unexpected = (answer: SqliteAnswer): MvmError => {
  if (answer.type === 'corrupt') return mvmError('JOURNAL_CORRUPT', answer.message, { firstSeq: answer.firstSeq });
  const reason = answer.type === 'failed' ? answer.message : `it answered "${answer.type}"`;
  return mvmError('INTERNAL', `the journal store failed: ${reason}`);
};

const stale = mvmError('STALE_LEASE', 'the journal has another holder now, or its hold has ended');
