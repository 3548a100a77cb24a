/**
 * The queue: requests become commands here, with the time and the randomness that they need (I1), and rows become views.
 * Owns no state; the store, the lease keeper, the claim queue and the change feed own theirs.
 */
import {
  isFinal,
  limits,
  mvmError,
  type AppendItem,
  type ClaimAnswer,
  type Errand,
  type ErrandRequest,
  type FinishItem,
  type HeartbeatAnswer,
  type InboxAnswer,
  type InboxItem,
  type InboxRequest,
  type ItemAnswer,
  type JobState,
  type JobVerdict,
  type JobView,
  type JournalBatches,
  type JournalEntry,
  type LeaseRef,
  type Published,
  type PublishJob,
  type QueueStats,
  type SendMessage,
  type SentMessage,
} from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import type { ClaimQueue, ClaimWish } from '../lease/claim-queue.ts';
import type { Holder, LeaseKeeper } from '../lease/lease-keeper.ts';
import type { ReportCommand } from '../machine/command.ts';
import type { ClaimedRow } from '../machine/reply.ts';
import type { Random } from '../random.ts';
import { controlLimits } from '../limits.ts';
import type { JournalPart, StoredJournal } from '../store/query.ts';
import type { Store } from '../store/store.ts';
import type { ChangeFeed, WaitOptions } from './change-feed.ts';
import type { ErrandBoard } from './errand-board.ts';
import { isClaimIntact } from './content-hash.ts';
import { jobView } from './job-view.ts';
import { journalEntries, partEntries } from './journal-view.ts';
import { outcomeHash } from './outcome-hash.ts';
import { publishItem } from './publish-item.ts';

/** What the queue works with. */
export interface JobQueueParts {
  readonly store: Store;
  readonly leases: LeaseKeeper;
  readonly claims: ClaimQueue;
  readonly feed: ChangeFeed;
  readonly errands: ErrandBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: number;
  readonly pendingJobsMax: number;
}

/** Which jobs to list, newest first. */
export interface JobListing {
  readonly state: JobState | 'live' | null;
  /** Only runs of modules of this name. @default of all */
  readonly module?: string | undefined;
  /** Publish number below which the list begins; null: at the newest. */
  readonly before: number | null;
  readonly limit: number;
}

/** A page of jobs; `next` is the `before` of the next page, null at the end. */
export interface JobPage {
  readonly jobs: readonly JobView[];
  readonly next: number | null;
}

/** What the holder of a bare claim says. `result` is JSON text. */
export type BareReport = Pick<ReportCommand, 'job' | 'worker' | 'status' | 'result' | 'error'>;

/** See the head of this file. */
export class JobQueue {
  readonly #parts: JobQueueParts;

  constructor(parts: JobQueueParts) {
    this.#parts = parts;
  }

  /** Publishes all jobs, or none. @throws JOB_EXISTS, QUEUE_FULL, MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND, PAYLOAD_TOO_LARGE */
  async publish(jobs: readonly PublishJob[]): Promise<readonly Published[]> {
    const { store, clock, random, pendingJobsMax } = this.#parts;
    const items = jobs.map((job) => publishItem(job, random));
    const reply = await store.apply<'publish'>({ type: 'publish', at: clock.wallMs(), jobs: items, pendingJobsMax });
    return reply.jobs;
  }

  /** Gives a worker jobs, waiting for the first one. */
  async claim(wish: ClaimWish): Promise<ClaimAnswer> {
    const rows = await this.#parts.claims.claim(wish);
    const [intact, damaged] = [rows.filter(isClaimIntact), rows.filter((row) => !isClaimIntact(row))];
    if (damaged.length > 0) await this.#failDamaged(wish, damaged);
    const jobs = intact.map(({ job, epoch, attempt, module, workflow, input, journalEntries: entries }) => ({
      job,
      epoch,
      attempt,
      module,
      workflow,
      input,
      journalEntries: entries,
    }));
    const isCalled = jobs.length === 0 && this.#parts.errands.hasOpen;
    return { jobs, leaseMs: this.#parts.leaseMs, ...(isCalled && { errands: true }) };
  }

  /** Gives one payload job to a client that will report without an epoch; null when there is none. */
  async claimBare(worker: string): Promise<JobView | null> {
    const { store, clock } = this.#parts;
    const { row } = await store.apply<'claim-bare'>({ type: 'claim-bare', at: clock.wallMs(), worker });
    return row === null ? null : jobView(row);
  }

  heartbeat(holder: Holder, held: readonly LeaseRef[]): HeartbeatAnswer {
    return this.#parts.leases.heartbeat(holder, held);
  }

  /** Adds to journals; one answer per item. */
  async append(worker: string, appends: readonly AppendItem[]): Promise<readonly ItemAnswer[]> {
    const { store, clock, pendingJobsMax } = this.#parts;
    const at = clock.wallMs();
    return (await store.apply<'append'>({ type: 'append', at, worker, appends, pendingJobsMax })).results;
  }

  /** Ends leases; one answer per item. */
  async finish(worker: string, finishes: readonly FinishItem[]): Promise<readonly ItemAnswer[]> {
    const { store, clock, random, pendingJobsMax } = this.#parts;
    const reply = await store.apply<'finish'>({
      type: 'finish',
      at: clock.wallMs(),
      worker,
      pendingJobsMax,
      jitter: random.unit(),
      finishes: finishes.map((item) => ({ ...item, outcomeHash: outcomeHash(item.outcome) })),
    });
    return reply.results;
  }

  /** Puts a message into a job's inbox. @throws JOB_NOT_FOUND, INVALID_TRANSITION, QUEUE_FULL */
  async send(job: string, message: SendMessage): Promise<SentMessage> {
    const { store, clock } = this.#parts;
    const { number, created } = await store.apply<'send-message'>({
      type: 'send-message',
      at: clock.wallMs(),
      job,
      id: message.message_id ?? null,
      messageType: message.type,
      data: messageData(message.data),
    });
    return { number, created };
  }

  /** The jobs that a job started, oldest first. */
  async children(parent: string): Promise<readonly JobView[]> {
    const limit = limits.listRowsMax;
    return (await this.#parts.store.read<'children'>({ type: 'children', parent, limit })).rows.map(jobView);
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

  /** Takes the report of a bare claim's holder. @throws JOB_NOT_FOUND, INVALID_TRANSITION, STALE_LEASE */
  async report(report: BareReport): Promise<JobView> {
    const { store, clock, random } = this.#parts;
    const reply = await store.apply<'report'>({
      type: 'report',
      at: clock.wallMs(),
      jitter: random.unit(),
      ...report,
      outcomeHash: outcomeHash({ type: 'completed', result: report.result ?? 'null' }),
    });
    return jobView(reply.row);
  }

  /** @throws JOB_NOT_FOUND, INVALID_TRANSITION */
  async cancel(job: string, reason: string): Promise<JobView> {
    const { store, clock } = this.#parts;
    return jobView((await store.apply<'cancel'>({ type: 'cancel', at: clock.wallMs(), job, reason })).row);
  }

  /** @throws JOB_NOT_FOUND */
  async status(id: string): Promise<JobView> {
    const { row } = await this.#parts.store.read<'job'>({ type: 'job', id });
    if (row === null) throw jobNotFound(id);
    return jobView(row);
  }

  /**
   * The job's state at its end, or when the time is over; with `until: 'response'` also once it has given one.
   *
   * @throws JOB_NOT_FOUND, UNAVAILABLE when too many wait
   */
  async statusAtEnd(id: string, options: WaitOptions & { readonly until?: 'end' | 'response' }): Promise<JobView> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([options.signal, waiting.signal]);
    const wait = { waitMs: options.waitMs, signal };
    const end = options.until === 'response' ? this.#parts.feed.response(id, wait) : this.#parts.feed.final(id, wait);
    try {
      const now = await this.status(id);
      if (isFinal(now.status) || (options.until === 'response' && now.response !== null)) return now;
      await end;
      return await this.status(id);
    } finally {
      waiting.abort();
      await end.catch(() => undefined);
    }
  }

  async list(listing: JobListing): Promise<JobPage> {
    const { rows } = await this.#parts.store.read<'jobs'>({ type: 'jobs', ...listing });
    const last = rows.at(-1);
    return { jobs: rows.map(jobView), next: last !== undefined && rows.length === listing.limit ? last.number : null };
  }

  /** The latest state of each job that changed after `after`, in the order of the changes. */
  async changes(after: number, limit: number): Promise<readonly JobView[]> {
    return (await this.#parts.store.read<'changes'>({ type: 'changes', after, limit })).rows.map(jobView);
  }

  async stats(workers: number): Promise<QueueStats> {
    const { counters } = await this.#parts.store.read<'counters'>({ type: 'counters' });
    const { pending, claimed, in_progress, waiting, completed, failed, cancelled } = counters;
    const total = pending + claimed + in_progress + waiting + completed + failed + cancelled;
    return { pending, claimed, in_progress, waiting, completed, failed, cancelled, total, workers };
  }

  /** A checked journal; `attempt` null: the current one. @throws JOB_NOT_FOUND, JOURNAL_CORRUPT */
  async journal(job: string, attempt: number | null): Promise<{ attempt: number; entries: readonly JournalEntry[] }> {
    const stored = await this.#storedJournal(job, attempt);
    return { attempt: stored.attempt, entries: journalEntries(job, stored) };
  }

  /**
   * Up to `entriesMax` entries of a journal from number `from` on. From the beginning the whole journal is checked, later on what is
   * read. @throws JOB_NOT_FOUND, JOURNAL_CORRUPT
   */
  async journalPart(
    job: string,
    attempt: number | null,
    part: { readonly from: number; readonly entriesMax: number },
  ): Promise<{ attempt: number; entries: readonly JournalEntry[] }> {
    if (part.from === 0) {
      const { entries, ...whole } = await this.journal(job, attempt);
      return { ...whole, entries: entries.slice(0, part.entriesMax) };
    }
    const stored = await this.#storedJournal(job, attempt, part);
    return { attempt: stored.attempt, entries: partEntries(job, stored, part) };
  }

  /** The batches that hold a journal's entries from number `from` on, as many as fit into an answer. @throws JOB_NOT_FOUND */
  async journalBatches(job: string, attempt: number | null, from: number): Promise<JournalBatches> {
    const part = { from, bytesMax: controlLimits.journalPartBytes };
    const { batches, module, ...stored } = await this.#storedJournal(job, attempt, part);
    const last = batches.at(-1);
    const end = last === undefined ? 0 : last.firstSeq + last.count;
    if (end <= from) return { attempt: stored.attempt, module, batches: [], next: null };
    const sent = batches.map(({ firstSeq, count, bytes, hash }) => ({ firstSeq, count, bytes, hash }));
    return { attempt: stored.attempt, module, batches: sent, next: end === stored.entries ? null : end };
  }

  /**
   * Has an idle worker replay the current attempt of a job with a module.
   *
   * @throws JOB_NOT_FOUND; INVALID_ARGUMENT when it runs no workflow; UNAVAILABLE when no worker does it; LIMIT_EXCEEDED when the journal is too long for that
   */
  async replay(id: string, module: string, signal: AbortSignal): Promise<JobVerdict> {
    const { row } = await this.#parts.store.read<'job'>({ type: 'job', id });
    if (row === null) throw jobNotFound(id);
    const workflow = row.content.entry;
    if (workflow === null) throw mvmError('INVALID_ARGUMENT', `job "${id}" runs no workflow`, { job_id: id });
    const { attempt, batches, next } = await this.journalBatches(id, null, 0);
    if (next !== null)
      throw mvmError('LIMIT_EXCEEDED', `the journal of job "${id}" is too long to be replayed by a worker`, {
        job_id: id,
        limit: controlLimits.journalPartBytes,
      });
    const verdict = await this.#parts.errands.ask({ job: id, attempt, module, workflow, batches }, signal);
    return { attempt, ...verdict };
  }

  /** An idle worker says what came of its last errand, and takes the next one. */
  errand(request: ErrandRequest): Errand | null {
    const { errands } = this.#parts;
    if (request.done) errands.settle(request.done.id, request.done.outcome);
    return errands.take() ?? null;
  }

  /** The current attempt's batches, for the holder of the lease. @throws JOB_NOT_FOUND, STALE_LEASE */
  async heldJournal(worker: string, lease: LeaseRef): Promise<StoredJournal> {
    this.#demandHolder(worker, lease);
    return this.#storedJournal(lease.job, null);
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

  async #failDamaged(wish: ClaimWish, rows: readonly ClaimedRow[]): Promise<void> {
    const error = { code: 'JOURNAL_CORRUPT', message: 'the stored input does not match its hash' } as const;
    const finishes = rows.map(({ job, epoch, attempt }): FinishItem => ({
      job,
      epoch,
      attempt,
      outcome: { type: 'failed', error, retryable: false },
    }));
    await this.finish(wish.worker, finishes);
  }
}

/** @throws PAYLOAD_TOO_LARGE */
const messageData = (data: unknown): string => {
  const text = JSON.stringify(data ?? null);
  const size = Buffer.byteLength(text);
  if (size <= limits.messageBytesMax) return text;
  throw mvmError(
    'PAYLOAD_TOO_LARGE',
    `a message's data has at most ${limits.messageBytesMax} bytes as JSON, not ${size}`,
    {
      rule: limits.messageBytesMax,
      received: size,
    },
  );
};

const jobNotFound = (id: string): Error => mvmError('JOB_NOT_FOUND', `no job has the id "${id}"`, { job_id: id });
