/**
 * Takes a run's guest out now and then, so that whoever goes on with the run needn't take all its steps again. It owns when;
 * the guest's handle owns how, and whoever holds the job keeps what comes out.
 *
 *   1. A snapshot is handed on only when all entries behind it are durable: another holder could write others in their place.
 *   2. One at a time. A guest in a step is asked again after the next entries.
 *   3. Nothing waits for a snapshot, and one that fails is only missing.
 */
import type { JournalEntry } from '@mvm-ci/protocol';
import type { Snapshot } from '../guest/guest-state.ts';
import type { GuestHandle, ResumedState } from '../guest/guest-threads.ts';
import { engineLimits } from '../limits.ts';
import type { RunCore } from './run-core.ts';
import { encodeHead } from './run-head.ts';

/** Looks at a guest that has taken so many steps and has this hash; false: its memory is not what it should be. */
export type SnapshotAuditor = (steps: number, hash: string) => Promise<boolean>;

export interface SnapshotWatchOptions {
  readonly guest: Pick<GuestHandle, 'capture' | 'memoryHash'>;
  readonly core: Pick<RunCore, 'entriesAfter' | 'journalBytes' | 'head'>;
  /** Of the module. */
  readonly runtime: string;
  /** Entries behind the snapshot that the run began with; 0 without one. */
  readonly entries: number;
  readonly save: (snapshot: Snapshot) => Promise<void>;
  /** For each snapshot: who audits it before it is kept, if anybody does. @default nobody */
  readonly audit?: (() => SnapshotAuditor | undefined) | undefined;
}

export class SnapshotWatch {
  readonly #options: SnapshotWatchOptions;
  #durable = 0;
  #last: { readonly entries: number; readonly bytes: number };
  #ready: Snapshot | undefined;
  #isBusy = false;

  constructor(options: SnapshotWatchOptions) {
    this.#options = options;
    this.#last = { entries: options.entries, bytes: options.core.journalBytes };
  }

  /** The journal's first `entries` entries are durable. Rejects when a snapshot could not be taken or kept. */
  async durable(entries: number): Promise<void> {
    this.#durable = entries;
    if (this.#isBusy || !(this.#ready || this.#isDue(entries))) return;
    this.#isBusy = true;
    try {
      this.#ready ??= await this.#take(this.#options.audit?.());
      if (this.#ready && this.#ready.entries <= this.#durable) await this.#handOn(this.#ready);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Whether a run that is given back, with so many entries, should leave a snapshot behind. */
  isWorthwhile(entries: number): boolean {
    return !this.#isBusy && entries - this.#last.entries >= engineLimits.snapshotRestEntries;
  }

  /** Takes the guest out for the last time, and gives what hands it on, to be called when all entries are durable. */
  async leave(): Promise<() => Promise<void>> {
    this.#isBusy = true;
    const ready = await this.#take();
    return async () => {
      if (ready) await this.#handOn(ready);
    };
  }

  #isDue(entries: number): boolean {
    const { snapshotEntries, snapshotJournalBytes } = engineLimits;
    return (
      entries - this.#last.entries >= snapshotEntries ||
      this.#options.core.journalBytes - this.#last.bytes >= snapshotJournalBytes
    );
  }

  async #take(audit?: SnapshotAuditor): Promise<Snapshot | undefined> {
    const { guest, core, runtime } = this.#options;
    // Before the guest is asked: it may be told more until it has answered.
    const { head } = core;
    // Asked together: both are of the same rest.
    const [standing, hash] = await Promise.all([guest.capture(), audit && guest.memoryHash()]);
    if (!standing) return undefined;
    if (audit && hash !== undefined && !(await audit(standing.steps, hash))) return undefined;
    this.#last = { entries: core.entriesAfter(standing.steps), bytes: core.journalBytes };
    const { entries } = this.#last;
    const encoded = head?.steps === standing.steps && head.entries === entries ? encodeHead(head) : undefined;
    return { ...standing.state, entries, runtime, ...(encoded && { head: encoded }) };
  }

  async #handOn(snapshot: Snapshot): Promise<void> {
    this.#ready = undefined;
    await this.#options.save(snapshot);
  }
}

/** What a guest goes on from, if the snapshot fits this journal and runtime as far as can be told from here. */
export const standingOf = (
  snapshot: Snapshot | undefined,
  journal: readonly JournalEntry[],
  runtime: string,
): ResumedState | undefined => {
  if (snapshot?.runtime !== runtime || journal[snapshot.entries - 1]?.kind !== 'intents') return undefined;
  const [started] = journal;
  if (started?.kind !== 'started') return undefined;
  let steps = 0;
  for (let index = 0; index < snapshot.entries; index += 1) if (journal[index]?.kind === 'intents') steps += 1;
  return { steps, state: { imageHash: snapshot.imageHash, bytes: snapshot.bytes }, seed: started.seed };
};
