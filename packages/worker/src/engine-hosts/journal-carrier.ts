/**
 * Carries a job's journal, with its inbox and its snapshot, to an engine elsewhere: `docs/internals/engine-link.md`. It owns what was
 * left out, until the engine has asked for it.
 */
import type { JournalSink, LeftOutEntries } from '@mvm-ci/engine';
import {
  asMvmError,
  encodeEntry,
  inboxPieces,
  joinIntoPieces,
  mvmError,
  snapshotPieces,
  type HolderMessage,
  type InboxItem,
  type LinkFeature,
} from '@mvm-ci/protocol';
import type { HostPorts, OpenedJournal } from '../engine-host.ts';

export interface JournalCarrierOptions {
  readonly openJournal: HostPorts['openJournal'];
  /** Sends a message to the engine, and waits for room where there is none. */
  readonly send: (message: HolderMessage) => Promise<void> | undefined;
  /** Fires when the run is over. */
  readonly signal: AbortSignal;
}

/** A journal as it crosses the link. */
interface CarriedJournal {
  readonly parts: Iterable<Uint8Array>;
  /** How many are in `parts`. */
  readonly entries: number;
  readonly leftOut: LeftOutEntries | undefined;
}

export class JournalCarrier {
  readonly #options: JournalCarrierOptions;
  #opening: Promise<void> | undefined;
  #sink: JournalSink | undefined;
  #leftOut: LeftOutEntries | undefined;

  constructor(options: JournalCarrierOptions) {
    this.#options = options;
  }

  /** Goes on after the journal; undefined until it is open. */
  get sink(): JournalSink | undefined {
    return this.#sink;
  }

  /** Opens the journal and sends it, once. @throws what `openJournal` throws */
  carry(shared: readonly LinkFeature[]): Promise<void> {
    this.#opening ??= this.#carry(shared);
    return this.#opening;
  }

  async #carry(shared: readonly LinkFeature[]): Promise<void> {
    const { openJournal, send } = this.#options;
    const mayLeaveOut = shared.includes('tails');
    const opened = await openJournal({ mayLeaveOut });
    this.#sink = opened.sink;
    const { parts, entries, leftOut } = await carried(opened, mayLeaveOut);
    this.#leftOut = leftOut;
    await this.#sendAll(joinIntoPieces(parts), (bytes) => ({ type: 'journal', bytes }));
    await this.sendInbox(opened.inbox);
    if (opened.snapshot && shared.includes('snapshots'))
      await this.#sendAll(snapshotPieces(opened.snapshot), (piece) => ({ type: 'snapshot', ...piece }));
    await send({ type: 'ready', entries, ...(leftOut && { leftOut: leftOut.entries }) });
  }

  /** Sends items in pieces. */
  sendInbox(inbox: readonly InboxItem[]): Promise<void> {
    return this.#sendAll(inboxPieces(inbox), (items) => ({ type: 'inbox', items }));
  }

  /** The engine needs what was left out. @throws INVALID_ARGUMENT when nothing was, or it has asked before */
  sendLeftOut(): void {
    const leftOut = this.#leftOut;
    if (!leftOut) throw mvmError('INVALID_ARGUMENT', 'the engine asks for entries that were not left out');
    this.#leftOut = undefined;
    this.#sendWhole(leftOut).catch((error: unknown) =>
      this.#options.send({ type: 'no-left-out', error: asMvmError(error).toRecord() }),
    );
  }

  async #sendWhole(leftOut: LeftOutEntries): Promise<void> {
    const parts = (await leftOut.load()).map(encodeEntry);
    await this.#sendAll(joinIntoPieces(parts), (bytes) => ({ type: 'left-out', bytes, isLast: false }));
    await this.#options.send({ type: 'left-out', bytes: new Uint8Array(), isLast: true });
  }

  /** One after another, each when there is room for it, until the run is over. */
  async #sendAll<T>(pieces: Iterable<T>, messageOf: (piece: T) => HolderMessage): Promise<void> {
    for (const piece of pieces) {
      if (this.#options.signal.aborted) return;
      await this.#options.send(messageOf(piece));
    }
  }
}

/** The journal without what is left out of it; with that for an engine that needs it, though it was opened for one that doesn't. */
const carried = async (opened: OpenedJournal, mayLeaveOut: boolean): Promise<CarriedJournal> => {
  const { count, leftOut, parts } = opened;
  if (!leftOut) return { parts, entries: count, leftOut };
  const entries = mayLeaveOut ? opened.entries : await leftOut.load();
  return { parts: entries.map(encodeEntry), entries: entries.length, leftOut: mayLeaveOut ? leftOut : undefined };
};
