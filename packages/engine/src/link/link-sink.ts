/**
 * A run's journal at the other end of a link: appends go out as messages, and are settled by what comes back.
 *
 *   1. Calls are numbered from 1 in their order; an ack settles all calls up to its number.
 *   2. After a refusal, or `lose`, every open call is rejected, and nothing is sent any more.
 */
import {
  encodeEntry,
  encodeLinkMessage,
  joinIntoPieces,
  linkLimits,
  mvmError,
  type Clock,
  type EngineMessage,
  type FinishOutcome,
  type InboxItem,
  type JournalEntry,
  type MvmError,
  type PacedSender,
} from '@mvm-ci/protocol';
import type { AppendExtras, Appended, JournalSink } from '../journal.ts';
import type { LeaseGate } from './lease-gate.ts';

export interface LinkSinkOptions {
  readonly sender: Pick<PacedSender, 'send'>;
  readonly gate: Pick<LeaseGate, 'renew'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** An entry is larger than a journal can take: the run can't go on anywhere. */
  readonly onTooLarge: (error: MvmError) => void;
}

interface Call {
  readonly number: number;
  readonly sentMs: number;
  readonly settle: PromiseWithResolvers<Appended>;
}

const nothing = new Uint8Array(0);

export class LinkSink implements JournalSink {
  readonly #options: LinkSinkOptions;
  #open: Call[] = [];
  #calls = 0;
  #over: MvmError | undefined;

  constructor(options: LinkSinkOptions) {
    this.#options = options;
  }

  append(entries: readonly JournalEntry[], { progress, internal }: AppendExtras = {}): Promise<Appended> {
    const extras = { ...(progress && { progress }), ...(internal && { internal }) };
    return this.#call(entries, (call, bytes) => ({ type: 'append', call, bytes, ...extras }));
  }

  async finish(
    entries: readonly JournalEntry[],
    outcome: FinishOutcome,
    { internal }: AppendExtras = {},
  ): Promise<void> {
    const extras = internal && { internal };
    await this.#call(entries, (call, bytes) => ({ type: 'finish', call, bytes, outcome, ...extras }));
  }

  /** All calls up to number `call` are durable; `refused`: what their effects inside the system came to. */
  acked(call: number, leaseLeftMs: number, refused: readonly InboxItem[] = []): void {
    const last = this.#open.findLast(({ number }) => number === call);
    if (!last) return;
    // First the gate: what waited for the entries asks for it at once.
    this.#options.gate.renew(last.sentMs, leaseLeftMs);
    const settled = this.#open.filter(({ number }) => number <= call);
    this.#open = this.#open.filter(({ number }) => number > call);
    for (const { settle } of settled) settle.resolve({ refused });
  }

  /** Rejects what is open, and what comes, with `error`. Idempotent. */
  lose(error: MvmError): void {
    this.#over ??= error;
    const open = this.#open;
    this.#open = [];
    for (const { settle } of open) settle.reject(error);
  }

  #call(
    entries: readonly JournalEntry[],
    message: (call: number, bytes: Uint8Array) => EngineMessage,
  ): Promise<Appended> {
    const encoded = entries.map(encodeEntry);
    const large = encoded.find(({ length }) => length > linkLimits.pieceBytesMax);
    if (large) this.#refuse(large.length);
    if (this.#over) return Promise.reject(this.#over);
    this.#calls += 1;
    const settle = Promise.withResolvers<Appended>();
    // Nobody waits for entries that ride along (I4): their refusal must not end the process.
    settle.promise.catch(() => undefined);
    this.#open.push({ number: this.#calls, sentMs: this.#options.clock.monotonicMs(), settle });
    this.#send([...joinIntoPieces(encoded)], (bytes) => message(this.#calls, bytes));
    return settle.promise;
  }

  #send(pieces: readonly Uint8Array[], last: (bytes: Uint8Array) => EngineMessage): void {
    const { sender } = this.#options;
    for (const bytes of pieces.slice(0, -1)) sender.send(encodeLinkMessage({ type: 'entries', bytes }));
    sender.send(encodeLinkMessage(last(pieces.at(-1) ?? nothing)));
  }

  #refuse(bytes: number): void {
    const limit = linkLimits.pieceBytesMax;
    const error = mvmError('LIMIT_EXCEEDED', `a journal entry has at most ${limit} bytes, this one has ${bytes}`, {
      limit,
      received: bytes,
    });
    this.lose(error);
    this.#options.onTooLarge(error);
  }
}
