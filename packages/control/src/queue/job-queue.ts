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
  type ClaimedJob,
  type FinishItem,
  type HeartbeatAnswer,
  type ItemAnswer,
  type JobFilter,
  type JobView,
  type LeaseRef,
  type Published,
  type PublishJob,
  type QueueChange,
  type QueueStats,
  type QueueView,
  type SendMessage,
  type SentMessage,
  type SnapshotAnswer,
  type SnapshotRequest,
  type TraceContext,
  type WhyView,
} from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import type { ClaimQueue, ClaimWish } from '../lease/claim-queue.ts';
import type { Holder, LeaseKeeper } from '../lease/lease-keeper.ts';
import type { ReportCommand } from '../machine/command.ts';
import type { ClaimedRow } from '../machine/reply.ts';
import type { Random } from '../random.ts';
import { controlLimits } from '../limits.ts';
import type { Store } from '../store/store.ts';
import type { ChangeFeed, WaitOptions } from './change-feed.ts';
import type { ErrandBoard } from './errand-board.ts';
import { isClaimIntact } from './content-hash.ts';
import { expectedJobs } from './expected-jobs.ts';
import type { JobTrail } from './job-trail.ts';
import { jobNotFound } from './job-not-found.ts';
import { jobView } from './job-view.ts';
import type { JournalDesk } from './journal-desk.ts';
import { messageData } from './message-data.ts';
import { queueView } from './queue-view.ts';
import { whyView } from './why.ts';
import { demandFit } from './worker-fit.ts';
import { WorkerAbilities } from './worker-abilities.ts';
import { outcomeHash } from './outcome-hash.ts';
import { publishItem } from './publish-item.ts';

/** What the queue works with. */
export interface JobQueueParts {
  readonly store: Store;
  readonly leases: LeaseKeeper;
  readonly claims: ClaimQueue;
  readonly feed: ChangeFeed;
  readonly errands: ErrandBoard;
  readonly journals: JournalDesk;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: number;
  readonly pendingJobsMax: number;
  readonly trail: JobTrail;
}

/** Which jobs to list, newest first. */
export interface JobListing {
  readonly filter: JobFilter;
  /** Publish number below which the list begins; null: at the newest. */
  readonly before: number | null;
  /** Lists oldest first instead, above this publish number. */
  readonly above?: number | undefined;
  readonly limit: number;
}

/** A page of jobs; `next` is the `before`, or `above`, of the next page, null at the end. */
export interface JobPage {
  readonly jobs: readonly JobView[];
  readonly next: number | null;
}

/** What a client that claims payload jobs has, and of which queues it wants them (null: all). */
export type BareAbility = Pick<ClaimWish, 'tags' | 'queues'>;

/** What the holder of a bare claim says. `result` is JSON text. */
export type BareReport = Pick<ReportCommand, 'job' | 'worker' | 'status' | 'result' | 'error'>;

/** See the head of this file. */
export class JobQueue {
  readonly #parts: JobQueueParts;
  readonly #abilities: WorkerAbilities;

  constructor(parts: JobQueueParts) {
    this.#parts = parts;
    this.#abilities = new WorkerAbilities(parts.clock);
  }

  /**
   * Publishes all jobs, or none, in the trace that the request came with.
   *
   * @throws JOB_EXISTS, QUEUE_FULL, MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND, PAYLOAD_TOO_LARGE
   */
  async publish(jobs: readonly PublishJob[], trace?: TraceContext): Promise<readonly Published[]> {
    const publishing = this.#parts.trail.publishing(jobs, trace);
    try {
      const published = await this.#publish(jobs, publishing.trace);
      publishing.published(published);
      return published;
    } catch (error) {
      publishing.refused(error);
      throw error;
    }
  }

  async #publish(jobs: readonly PublishJob[], trace: string | null): Promise<readonly Published[]> {
    const { store, claims, clock, random, pendingJobsMax } = this.#parts;
    const items = jobs.map((job) => publishItem(job, random, trace));
    const published = store.apply<'publish'>({ type: 'publish', at: clock.wallMs(), jobs: items, pendingJobsMax });
    // Whoever waits for such jobs gets them in the same commit.
    const end = claims.length === 0 ? undefined : claims.expect(expectedJobs(items, claims.length));
    let isMet = false;
    try {
      const { jobs: answers } = await published;
      isMet = answers.every(({ created }) => created);
      return answers;
    } finally {
      end?.(isMet);
    }
  }

  /** A process of a worker has ended: it takes no job. With `empty`, what it holds it never began, and others get it. */
  async noteLeft({
    worker,
    incarnation,
    empty = false,
  }: Holder & { readonly empty?: boolean | undefined }): Promise<void> {
    const { store, clock } = this.#parts;
    this.#abilities.forget(worker);
    if (empty) await store.apply<'leave'>({ type: 'leave', at: clock.wallMs(), worker, incarnation });
  }

  /** Gives a worker jobs, waiting for the first one. */
  async claim(wish: ClaimWish): Promise<ClaimAnswer> {
    this.#abilities.note(wish.worker, wish);
    const rows = await this.#parts.claims.claim(wish);
    const { intact = [], damaged = [] } = Object.groupBy(rows, (row) => (isClaimIntact(row) ? 'intact' : 'damaged'));
    if (damaged.length > 0) await this.#failDamaged(wish, damaged);
    const jobs = intact.map((row) => this.#handed(row, wish.worker));
    const isCalled = jobs.length === 0 && wish.errands !== false && this.#parts.errands.hasOpen;
    return { jobs, leaseMs: this.#parts.leaseMs, ...(isCalled && { errands: true }) };
  }

  #handed(row: ClaimedRow, worker: string): ClaimedJob {
    const { job, epoch, attempt, module, workflow, input, journalEntries: entries } = row;
    const trace = this.#parts.trail.claimed(row, worker);
    const claimed = { job, epoch, attempt, module, workflow, input, journalEntries: entries };
    return trace ? { ...claimed, trace } : claimed;
  }

  /** Gives one payload job to a client that will report without an epoch; null when there is none. */
  async claimBare(worker: string, able: BareAbility): Promise<JobView | null> {
    const { store, clock } = this.#parts;
    const { row } = await store.apply<'claim-bare'>({ type: 'claim-bare', at: clock.wallMs(), worker, ...able });
    return row === null ? null : jobView(row);
  }

  heartbeat(holder: Holder, held: readonly LeaseRef[]): HeartbeatAnswer {
    const { leases, errands } = this.#parts;
    return { ...leases.heartbeat(holder, held), ...(errands.hasOpenQuery && { queries: true }) };
  }

  /** Adds to journals; one answer per item. */
  async append(worker: string, appends: readonly AppendItem[]): Promise<readonly ItemAnswer[]> {
    const { store, clock, pendingJobsMax } = this.#parts;
    const at = clock.wallMs();
    return (await store.apply<'append'>({ type: 'append', at, worker, appends, pendingJobsMax })).results;
  }

  /** Keeps a state of a held job's guest. @throws STALE_LEASE, INVALID_ARGUMENT */
  async keepSnapshot(worker: string, { job, epoch, attempt, snapshot }: SnapshotRequest): Promise<SnapshotAnswer> {
    const { store, clock } = this.#parts;
    const at = clock.wallMs();
    const lease = { worker, job, epoch, attempt };
    const { entries } = await store.apply<'keep-snapshot'>({ type: 'keep-snapshot', at, ...lease, snapshot });
    return { entries };
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

  /** `graceMs`: how long a holder has; null: as long as it takes. @throws JOB_NOT_FOUND, INVALID_TRANSITION */
  async cancel(job: string, reason: string, graceMs: number | null): Promise<JobView> {
    const { store, clock } = this.#parts;
    return jobView((await store.apply<'cancel'>({ type: 'cancel', at: clock.wallMs(), job, reason, graceMs })).row);
  }

  /**
   * Has a running job go on at another worker.
   *
   * @throws JOB_NOT_FOUND, WORKER_UNSUITABLE, INVALID_TRANSITION when no worker runs it, or this one does
   */
  async move(job: string, worker: string): Promise<JobView> {
    const { store, clock, leases } = this.#parts;
    const { facts } = await store.read<'why'>({ type: 'why', id: job });
    if (facts === null) throw jobNotFound(job);
    const holding = leases.heldByWorker();
    const able = this.#abilities.current(controlLimits.abilityMs, (one) => holding.has(one));
    demandFit(
      worker,
      able.find((one) => one.worker === worker),
      facts,
    );
    return jobView((await store.apply<'move'>({ type: 'move', at: clock.wallMs(), job, worker })).row);
  }

  /** Tries a job again that failed or was cancelled. @throws JOB_NOT_FOUND, INVALID_TRANSITION */
  async retry(job: string): Promise<JobView> {
    const again = await this.retryAll([job]);
    const view = await this.status(job);
    if (again.length > 0) return view;
    throw mvmError(
      'INVALID_TRANSITION',
      `job "${job}" is ${view.status}: only jobs that failed or were cancelled are tried again`,
      { job_id: job, from: view.status, to: 'pending' },
    );
  }

  /** Tries those of the jobs again that failed or were cancelled. @returns their ids */
  async retryAll(jobs: readonly string[]): Promise<readonly string[]> {
    const { store, clock } = this.#parts;
    return (await store.apply<'retry'>({ type: 'retry', at: clock.wallMs(), jobs })).jobs;
  }

  /** Why a job is where it is. @throws JOB_NOT_FOUND */
  async why(job: string): Promise<WhyView> {
    const { store, clock, claims, leases, leaseMs } = this.#parts;
    const { facts } = await store.read<'why'>({ type: 'why', id: job });
    if (facts === null) throw jobNotFound(job);
    const { row } = facts;
    const at = clock.wallMs();
    const exactMs = leases.leftMs(row.worker ?? '', { job, epoch: row.epoch });
    const leftMs = exactMs === undefined ? undefined : Math.round(exactMs);
    // What is left of the grace of a start says nothing of the holder.
    const isSilent = row.bare || (leftMs ?? 0) > leaseMs;
    const isRead = row.state === 'waiting' && row.journalEntries <= controlLimits.whyEntriesMax;
    const holding = leases.heldByWorker();
    const waiting = claims.waitingWorkers();
    return whyView(facts, {
      at,
      lease: leftMs === undefined ? null : { until: at + leftMs, heardAt: isSilent ? null : at + leftMs - leaseMs },
      workers: this.#abilities.current(controlLimits.abilityMs, (worker) => holding.has(worker)),
      isWaiting: (worker) => waiting.has(worker),
      entries: isRead ? (await this.#parts.journals.entries(job, null)).entries : null,
    });
  }

  /** Changes what is set for a queue. @throws QUEUE_FULL */
  async setQueue(queue: string, change: QueueChange): Promise<QueueView> {
    const { store, clock } = this.#parts;
    await store.apply<'set-queue'>({ type: 'set-queue', at: clock.wallMs(), queue, change });
    return this.queue(queue);
  }

  /** Queues that have settings, or jobs that are ready or running, by name; the default one in any case. */
  async queues(): Promise<readonly QueueView[]> {
    const { queues } = await this.#parts.store.read<'queues'>({ type: 'queues' });
    return queues.map(queueView);
  }

  /** One queue, also one that nothing is known of. */
  async queue(name: string): Promise<QueueView> {
    const found = (await this.queues()).find(({ queue }) => queue === name);
    return found ?? queueView({ queue: name, settings: {}, ready: 0, running: 0, readyKeys: 0, readySince: null });
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
