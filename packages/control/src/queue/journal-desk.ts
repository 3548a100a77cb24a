/**
 * Journals as they are read, and the inboxes beside them: by the holder of a job's lease, who goes on from them, and by whoever looks. Owns
 * nothing; the store, the lease keeper and the change feed own theirs.
 */
import {
  limits,
  mvmError,
  type InboxAnswer,
  type InboxItem,
  type InboxRequest,
  type JournalBatches,
  type JournalEntry,
  type JournalRequest,
  type LeaseRef,
  type StoredSnapshot,
} from '@mvm-ci/protocol';
import type { LeaseKeeper } from '../lease/lease-keeper.ts';
import { controlLimits } from '../limits.ts';
import type { JournalPart, StoredJournal } from '../store/query.ts';
import type { Store } from '../store/store.ts';
import type { ChangeFeed } from './change-feed.ts';
import { jobNotFound } from './job-not-found.ts';
import { journalEntries, partEntries } from './journal-view.ts';

/** What the holder of a lease goes on from. */
export interface HeldJournal extends StoredJournal {
  readonly earlier: readonly StoredJournal[];
  readonly snapshot: StoredSnapshot | null;
}

/** What it reads from. */
export interface JournalDeskParts {
  readonly store: Store;
  readonly leases: Pick<LeaseKeeper, 'isHolder'>;
  readonly feed: Pick<ChangeFeed, 'arrival'>;
}

/** See the head of this file. */
export class JournalDesk {
  readonly #parts: JournalDeskParts;

  constructor(parts: JournalDeskParts) {
    this.#parts = parts;
  }

  /** A checked journal; `attempt` null: the current one. @throws JOB_NOT_FOUND, JOURNAL_CORRUPT */
  async entries(job: string, attempt: number | null): Promise<{ attempt: number; entries: readonly JournalEntry[] }> {
    const stored = await this.#storedJournal(job, attempt);
    return { attempt: stored.attempt, entries: journalEntries(job, stored) };
  }

  /**
   * Up to `entriesMax` entries of a journal from number `from` on. From the beginning the whole journal is checked, later on what is
   * read. @throws JOB_NOT_FOUND, JOURNAL_CORRUPT
   */
  async part(
    job: string,
    attempt: number | null,
    part: { readonly from: number; readonly entriesMax: number },
  ): Promise<{ attempt: number; entries: readonly JournalEntry[] }> {
    if (part.from === 0) {
      const { entries, ...whole } = await this.entries(job, attempt);
      return { ...whole, entries: entries.slice(0, part.entriesMax) };
    }
    const stored = await this.#storedJournal(job, attempt, part);
    return { attempt: stored.attempt, entries: partEntries(job, stored, part) };
  }

  /** The batches that hold a journal's entries from number `from` on, as many as fit into an answer. @throws JOB_NOT_FOUND */
  async batches(job: string, attempt: number | null, from: number): Promise<JournalBatches> {
    const part = { from, bytesMax: controlLimits.journalPartBytes };
    const { batches, module, ...stored } = await this.#storedJournal(job, attempt, part);
    const last = batches.at(-1);
    const end = last === undefined ? 0 : last.firstSeq + last.count;
    if (end <= from) return { attempt: stored.attempt, module, batches: [], next: null };
    const sent = batches.map(({ firstSeq, count, bytes, hash }) => ({ firstSeq, count, bytes, hash }));
    return { attempt: stored.attempt, module, batches: sent, next: end === stored.entries ? null : end };
  }

  /**
   * The current attempt's batches and its snapshot, for the holder of the lease; for the job of a handler also the batches of the
   * attempts before. With `tail` and a snapshot that has a head: the batches from the snapshot's last entry on.
   *
   * @throws JOB_NOT_FOUND, STALE_LEASE
   */
  async held(worker: string, { job, epoch, tail = false }: JournalRequest): Promise<HeldJournal> {
    this.#demandHolder(worker, { job, epoch });
    const snapshot = tail ? await this.#snapshot(job) : null;
    const current = await this.#storedJournal(job, null, snapshot?.head && { from: snapshot.entries - 1 });
    if (current.module !== '') return { ...current, earlier: [], snapshot: snapshot ?? (await this.#snapshot(job)) };
    const attempts = Array.from({ length: current.attempt - 1 }, (_, index) => index + 1);
    const earlier = await Promise.all(attempts.map((attempt) => this.#storedJournal(job, attempt)));
    return { ...current, earlier: earlier.filter(({ batches }) => batches.length > 0), snapshot: null };
  }

  /** What waits in a held job's inbox above `after`. @throws STALE_LEASE */
  async heldInbox(worker: string, lease: LeaseRef, after: number): Promise<readonly InboxItem[]> {
    this.#demandHolder(worker, lease);
    const query = { type: 'inbox', id: lease.job, after, limit: limits.inboxPageItems } as const;
    return (await this.#parts.store.read<'inbox'>(query)).items;
  }

  /** The same, waiting for the first one. @throws STALE_LEASE, UNAVAILABLE when too many wait */
  async awaitInbox(worker: string, request: InboxRequest, signal: AbortSignal): Promise<InboxAnswer> {
    const { job, epoch, after, waitMs = 0 } = request;
    const waiting = new AbortController();
    const ended = AbortSignal.any([signal, waiting.signal]);
    const arrival = this.#parts.feed.arrival(job, { waitMs, signal: ended });
    try {
      const now = await this.heldInbox(worker, { job, epoch }, after);
      if (now.length > 0 || waitMs === 0) return { items: now };
      await arrival;
      return { items: signal.aborted ? [] : await this.heldInbox(worker, { job, epoch }, after) };
    } finally {
      waiting.abort();
      await arrival.catch(() => undefined);
    }
  }

  async #snapshot(id: string): Promise<StoredSnapshot | null> {
    return (await this.#parts.store.read<'snapshot'>({ type: 'snapshot', id, attempt: null })).snapshot;
  }

  #demandHolder(worker: string, lease: LeaseRef): void {
    if (this.#parts.leases.isHolder(worker, lease)) return;
    throw mvmError('STALE_LEASE', `epoch ${lease.epoch} of job "${lease.job}" is not the sender's lease`, { ...lease });
  }

  async #storedJournal(id: string, attempt: number | null, part?: JournalPart): Promise<StoredJournal> {
    const { journal } = await this.#parts.store.read<'journal'>({ type: 'journal', id, attempt, part });
    if (journal === null) throw jobNotFound(id);
    return journal;
  }
}
