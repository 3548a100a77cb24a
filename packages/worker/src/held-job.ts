/**
 * One claimed job from its claim to the moment at which the control plane has taken it back: the lease, the journal so far,
 * the engine's run, and what happens when one of them fails.
 *
 *   1. `ended` settles only when the finish was accepted or refused, or the lease is gone: until then its slot is taken.
 *   2. A lost lease ends everything at once and says nothing more (I3), except while the finish is on its way: then the
 *      finish's own answer tells whether it was in time.
 *   3. What the control plane refuses for good (the journal is full, say) fails the job. A fault of our own fails nobody's
 *      job: its lease runs out, the job goes on elsewhere, and the control plane counts the lost lease.
 */
import type { Engine, EngineRun, RunEnd } from '@mvm-ci/engine';
import {
  asMvmError,
  chainStart,
  mvmError,
  readBatches,
  RetryLaterError,
  StaleLeaseError,
  type ClaimedJob,
  type FinishOutcome,
  type JournalAnswer,
  type JournalEntry,
  type MvmError,
} from '@mvm-ci/protocol';
import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { ControlPlane } from './control-plane.ts';
import { ClusterSink, type JournalPosition } from './journal/cluster-sink.ts';
import type { JournalShipper } from './journal/journal-shipper.ts';
import { staleLease, type KeptLease, type LeaseKeeper } from './lease-keeper.ts';
import type { Logger } from './logger.ts';
import type { Random } from './random.ts';

/** What became of a held job: an accepted outcome, or a lease that was lost or left to run out. */
export type HeldJobEnd = FinishOutcome['type'] | 'lost' | 'abandoned';

export interface HeldJobOptions {
  readonly controlPlane: Pick<ControlPlane, 'journal'>;
  readonly engine: Engine;
  readonly keeper: LeaseKeeper;
  readonly shipper: JournalShipper;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A job that this worker holds. */
export class HeldJob {
  readonly ended: Promise<HeldJobEnd>;
  readonly #claimed: ClaimedJob;
  readonly #options: HeldJobOptions;
  readonly #lease: KeptLease;
  /** Fires when the job is dropped. */
  readonly #dropped = new AbortController();
  #sink: ClusterSink | undefined;
  #run: EngineRun | undefined;
  #wish: 'run' | 'cancel' | 'release' = 'run';
  #refusal: MvmError | undefined;

  /** Begins at once; `sentMs` is when the claim was sent. */
  constructor(claimed: ClaimedJob, sentMs: number, options: HeldJobOptions) {
    this.#claimed = claimed;
    this.#options = options;
    this.#lease = options.keeper.hold({ job: claimed.job, epoch: claimed.epoch }, sentMs, {
      onLost: () => this.#lose(),
      onCancel: (reason) => this.#cancel(reason),
    });
    this.ended = this.#hold().finally(() => this.#lease.release());
  }

  /** Gives the job back, to be continued elsewhere at once. */
  release(): void {
    if (this.#wish !== 'run' || this.#dropped.signal.aborted) return;
    this.#wish = 'release';
    this.#run?.release();
  }

  /** Lets go without a word: the lease runs out. */
  drop(): void {
    this.#dropped.abort();
    this.#run?.drop();
    this.#sink?.lose(mvmError('STALE_LEASE', `the worker has dropped job "${this.#claimed.job}"`));
  }

  async #hold(): Promise<HeldJobEnd> {
    try {
      const journal = await this.#fetchJournal();
      const end = await this.#runFrom(journal);
      if (end.type === 'finished') return end.outcome.type;
      return this.#refusal ? await this.#fail(this.#refusal) : 'lost';
    } catch (thrown) {
      return this.#fail(asMvmError(thrown));
    }
  }

  async #runFrom(journal: readonly JournalEntry[]): Promise<RunEnd> {
    const { job, attempt, module, workflow, input } = this.#claimed;
    const { engine } = this.#options;
    const sink = this.#sink;
    if (!sink || this.#dropped.signal.aborted) return { type: 'dropped' };
    if (this.#wish !== 'run') return this.#finishUnstarted(sink);
    this.#run = engine.run(
      { job, attempt, module, workflow, input, journal },
      { sink, mayStartEffect: (signal) => this.#lease.mayStartEffect(signal) },
    );
    return this.#run.ended;
  }

  async #finishUnstarted(sink: ClusterSink): Promise<RunEnd> {
    const outcome: FinishOutcome = { type: this.#wish === 'cancel' ? 'cancelled' : 'released' };
    await sink.finish([], outcome);
    return { type: 'finished', outcome };
  }

  /** The stored entries, and the sink that goes on after them. */
  async #fetchJournal(): Promise<readonly JournalEntry[]> {
    const { job, attempt, journalEntries } = this.#claimed;
    const start = chainStart(job, attempt);
    const batches = journalEntries > 0 ? (await this.#askForJournal()).batches : [];
    const entries = readBatches(start, batches);
    this.#sink = this.#openSink({ nextSeq: entries.length, hash: batches.at(-1)?.hash ?? start });
    return entries;
  }

  async #askForJournal(): Promise<JournalAnswer> {
    const { controlPlane, clock, random } = this.#options;
    const { signal } = this.#dropped;
    const backoff = new Backoff(clock, random);
    while (!signal.aborted) {
      try {
        return await controlPlane.journal(this.#claimed, { signal });
      } catch (error) {
        if (!(error instanceof RetryLaterError)) throw error;
        await backoff.wait(signal);
      }
    }
    throw mvmError('STALE_LEASE', `job "${this.#claimed.job}" was dropped before its journal came`);
  }

  #openSink(position: JournalPosition): ClusterSink {
    const { job, epoch, attempt } = this.#claimed;
    return new ClusterSink({
      lease: { job, epoch },
      attempt,
      position,
      shipper: this.#options.shipper,
      onRefused: (error) => this.#refused(error),
    });
  }

  #lose(): void {
    if (this.#sink?.isFinishing) return;
    this.#sayLost(staleLease(this.#claimed));
    this.drop();
  }

  #sayLost(error: MvmError): void {
    const { job, epoch } = this.#claimed;
    this.#options.logger.warn({ job, epoch, err: error }, 'a lease is lost: the job goes on elsewhere');
  }

  #cancel(reason: string): void {
    if (this.#wish === 'cancel') return;
    this.#wish = 'cancel';
    this.#run?.cancel(reason);
  }

  #refused(error: MvmError): void {
    this.#refusal = error;
    if (error instanceof StaleLeaseError) this.#sayLost(error);
    this.#run?.drop();
  }

  /** The job can't go on here: rule 3. */
  async #fail(error: MvmError): Promise<HeldJobEnd> {
    const { logger } = this.#options;
    const { job, epoch } = this.#claimed;
    if (error instanceof StaleLeaseError || this.#dropped.signal.aborted) return 'lost';
    if (!endsJob.has(error.code)) {
      logger.error({ job, epoch, err: error }, 'a job is left to its lease: this worker has a fault');
      return 'abandoned';
    }
    try {
      const sink = this.#openSink({ nextSeq: 0, hash: chainStart(job, this.#claimed.attempt) });
      this.#sink = sink;
      await sink.finish([], { type: 'failed', error: error.toRecord(), retryable: false });
      return 'failed';
    } catch (thrown) {
      logger.error({ job, epoch, err: thrown }, 'a job could not be ended: its lease runs out');
      return 'abandoned';
    }
  }
}

/** What is the job's own fault, on any machine. */
const endsJob: ReadonlySet<string> = new Set([
  'LIMIT_EXCEEDED',
  'JOURNAL_CORRUPT',
  'PAYLOAD_TOO_LARGE',
  'MODULE_NOT_FOUND',
  'MODULE_INVALID',
  'MODULE_UNKNOWN_IMPORT',
  'MODULE_SYNTAX_ERROR',
  'MODULE_LOAD_FAILED',
  'WORKFLOW_NOT_FOUND',
]);
