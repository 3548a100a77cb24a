/**
 * A run's journal on its way from the holder, with the snapshot that stands for its beginning. It owns what has come, and how long the holder
 * may be silent.
 *
 *   1. Before the run begins a part must come every `holderSilenceMsMax`.
 *   2. Entries that were left out are asked for once, when the run needs them.
 */
import {
  decodeEntries,
  limits,
  linkLimits,
  mvmError,
  SnapshotIntake,
  type Clock,
  type HolderMessage,
  type JournalEntry,
  type MvmError,
  type SnapshotPiece,
  type SnapshotState,
  type Timer,
} from '@mvm-ci/protocol';
import type { RunRequest } from '../engine.ts';
import { PartIntake } from './part-intake.ts';

export interface CarriedJournalOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Asks the holder for what it left out. */
  readonly onWanted: () => void;
  readonly onSilent: (error: MvmError) => void;
}

/** What a run is begun with. */
type Stored = Pick<RunRequest, 'journal' | 'snapshot' | 'leftOut'>;

export class CarriedJournal {
  readonly #options: CarriedJournalOptions;
  readonly #leftOut: PartIntake;
  readonly #snapshots: SnapshotIntake = new SnapshotIntake();
  readonly #entries: JournalEntry[] = [];
  #bytes = 0;
  #snapshot: SnapshotState | undefined;
  /** The whole journal, once it is asked for. */
  #whole: Promise<readonly JournalEntry[]> | undefined;
  #patience: Timer | undefined;

  constructor(options: CarriedJournalOptions) {
    this.#options = options;
    this.#leftOut = new PartIntake({ ...options, what: 'the journal', bytesMax: limits.journalBytesMax });
  }

  /** A part is due: rule 1. */
  wait(): void {
    const ms = linkLimits.holderSilenceMsMax;
    const error = mvmError('DEADLINE_EXCEEDED', `the holder sent nothing of the journal for ${ms / 1_000} s`);
    this.#patience?.cancel();
    this.#patience = this.#options.clock.after(ms, () => this.#options.onSilent(error));
  }

  /** Entries have come. @throws LIMIT_EXCEEDED, JOURNAL_CORRUPT */
  takeEntries(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const entries = decodeEntries(bytes);
    if (this.#bytes > limits.journalBytesMax || this.#entries.length + entries.length > limits.journalEntriesMax)
      throw mvmError('LIMIT_EXCEEDED', `a journal has at most ${limits.journalEntriesMax} entries`);
    for (const entry of entries) this.#entries.push(entry);
    if (bytes.length > 0) this.wait();
  }

  /** @throws INVALID_ARGUMENT for a second snapshot; LIMIT_EXCEEDED */
  takeSnapshot(piece: SnapshotPiece): void {
    if (this.#snapshot) throw mvmError('INVALID_ARGUMENT', 'a run has one snapshot');
    this.#snapshot = this.#snapshots.take(piece);
    if (piece.bytes.length > 0) this.wait();
  }

  /** A part of what was left out. @throws INVALID_ARGUMENT when nobody asked; PAYLOAD_TOO_LARGE */
  takeLeftOut({ bytes, isLast }: SnapshotPiece): void {
    this.#leftOut.take(bytes, isLast);
  }

  /** All has come: nothing is waited for. @throws INVALID_ARGUMENT when it isn't what was announced */
  complete({ entries, leftOut }: HolderMessage & { readonly type: 'ready' }): Stored {
    this.#patience?.cancel();
    const came = this.#entries.length;
    if (entries !== came) throw mvmError('INVALID_ARGUMENT', `${came} entries came, and ${entries} were announced`);
    const stored = { journal: this.#entries, snapshot: this.#snapshot };
    if (leftOut === undefined) return stored;
    if (!this.#snapshot) throw mvmError('INVALID_ARGUMENT', 'entries were left out, and no snapshot stands for them');
    return { ...stored, leftOut: { entries: leftOut, load: () => this.#load() } };
  }

  /** What was left out won't come; nothing is waited for. Idempotent. */
  fail(error: MvmError): void {
    this.#patience?.cancel();
    this.#leftOut.fail(error);
  }

  #load(): Promise<readonly JournalEntry[]> {
    this.#whole ??= this.#leftOut.ask().then((parts) => parts.flatMap((part) => decodeEntries(part)));
    return this.#whole;
  }
}
