/**
 * One claimed job from its claim to the moment at which the control plane has taken it back: the lease, the journal so far,
 * the runs one after another, and what happens when one of them fails.
 *
 *   1. `ended` settles only when the finish was accepted or refused, or the lease is gone: until then its slot is taken.
 *   2. A lost lease ends everything at once and says nothing more (I3), except while the finish is on its way: then the
 *      finish's own answer tells whether it was in time.
 *   3. What the control plane refuses for good (the journal is full, a result is malformed) fails the job. A fault of our own fails nobody's
 *      job: its lease runs out, the job goes on elsewhere, and the control plane counts the lost lease.
 *   4. An interrupted run is followed by another one, from the journal as it is stored once all that was sent is answered. A
 *      job that finds no engine for long is given back. One that may be what ends the engines is left to its lease: the
 *      control plane counts that (`WORKER_KILLER`).
 *   5. An engine that is silent, or doesn't give a job back in time, is given up; but the job goes on, here or elsewhere, only when
 *      what that engine was told of the lease has run out: until then it may start effects (I4).
 *   6. An engine beside the store may have finished the job unheard: then the control plane is asked, by giving the job back.
 */
import {
  asMvmError,
  finalStates,
  mvmError,
  StaleLeaseError,
  type ClaimedJob,
  type FinishOutcome,
  type InboxItem,
  type MvmError,
  type Timer,
} from '@mvm-ci/protocol';
import { Backoff } from './backoff.ts';
import type { Snapshot } from '@mvm-ci/engine';
import { pause, type Clock } from './clock.ts';
import type { ControlPlane } from './control-plane.ts';
import { EngineAbsence } from './engine-absence.ts';
import type { EngineHost, HostPorts, HostRun, HostRunEnd, OpenedJournal, OpenOptions } from './engine-host.ts';
import { jobFacts } from './lease-span.ts';
import { HeldJournal } from './journal/held-journal.ts';
import type { JournalShipper } from './journal/journal-shipper.ts';
import { LateSignal } from './late-signal.ts';
import { workerLimits } from './limits.ts';
import { staleLease, type KeptLease, type LeaseHolder, type LeaseKeeper } from './lease-keeper.ts';
import type { Logger } from './logger.ts';
import type { Random } from './random.ts';

/** What became of a held job: an accepted outcome, or a lease that was lost or left to run out. */
export type HeldJobEnd = FinishOutcome['type'] | 'lost' | 'abandoned';

type Interruption = HostRunEnd & { readonly type: 'interrupted' };

export interface HeldJobOptions {
  readonly controlPlane: Pick<ControlPlane, 'journal' | 'inbox' | 'snapshot'>;
  readonly host: Pick<EngineHost, 'run'>;
  readonly keeper: LeaseKeeper;
  readonly shipper: JournalShipper;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A job that this worker holds. */
export class HeldJob implements LeaseHolder, HostPorts {
  readonly ended: Promise<HeldJobEnd>;
  readonly #claimed: ClaimedJob;
  readonly #options: HeldJobOptions;
  readonly #lease: KeptLease;
  readonly #journal: HeldJournal;
  readonly #absence: EngineAbsence;
  /** Of a job whose run was interrupted. */
  #backoff: Backoff | undefined;
  /** Fires when the job is dropped. */
  readonly #dropped = new LateSignal();
  /** Fires when the job shall run no further: a wait between two runs ends. */
  readonly #wished = new LateSignal();
  #run: HostRun | undefined;
  /** Ends the wait for the run that goes on. */
  #giveUp: ((end: HostRunEnd) => void) | undefined;
  /** Rule 5. */
  #patience: Timer | undefined;
  /** Until when an engine may start effects by what it was told. */
  #grantedUntilMs = 0;
  #isLetGo = false;
  #isHandedOver = false;
  #wish: 'run' | 'cancel' | 'release' = 'run';

  /** Begins at once; `sentMs` is when the claim was sent. */
  constructor(claimed: ClaimedJob, sentMs: number, options: HeldJobOptions) {
    this.#claimed = claimed;
    this.#options = options;
    this.#absence = new EngineAbsence(options.clock);
    this.#journal = new HeldJournal({ ...options, claimed, onRefused: (error) => this.#refused(error) });
    this.#lease = options.keeper.hold({ job: claimed.job, epoch: claimed.epoch }, sentMs, this);
    this.ended = this.#hold();
  }

  /** Gives the job back, to be continued elsewhere at once. */
  release(): void {
    if (this.#wish !== 'run' || this.#dropped.aborted) return;
    this.#wish = 'release';
    this.#wished.abort();
    if (!this.#run) return;
    this.#run.release();
    this.#waitForEngine(workerLimits.engineReleaseMsMax);
  }

  /** Gives the job back once it is at rest: effects in flight end first, if the place where it runs can wait for them. */
  handOver(): void {
    if (this.#wish !== 'run' || this.#dropped.aborted || this.#isHandedOver) return;
    this.#isHandedOver = true;
    this.#options.logger.info(jobFacts(this.#claimed), 'a job is given back, to go on elsewhere');
    if (this.#run?.handOver) this.#run.handOver();
    else this.release();
  }

  /** Lets go without a word: the lease runs out. */
  drop(): void {
    this.#isLetGo = true;
    this.#drop();
  }

  get isFresh(): boolean {
    return !this.#journal.mayBeStored;
  }

  openJournal(options?: OpenOptions): Promise<OpenedJournal> {
    return this.#journal.open(options);
  }

  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean> {
    return this.#lease.mayStartEffect(signal);
  }

  inbox(after: number, signal: AbortSignal): Promise<readonly InboxItem[]> {
    return this.#journal.inbox(after, signal);
  }

  saveSnapshot(snapshot: Snapshot): Promise<void> {
    return this.#journal.saveSnapshot(snapshot);
  }

  leaseLeftMs(): number {
    const leftMs = this.#lease.leftMs();
    this.#grantedUntilMs = this.#options.clock.monotonicMs() + leftMs;
    return leftMs;
  }

  onLost(): void {
    if (this.#journal.isFinishing) return;
    if (this.#journal.wasOpened) this.#sayLost(staleLease(this.#claimed));
    this.#drop();
  }

  onCancel(reason: string): void {
    if (this.#wish === 'cancel') return;
    this.#wish = 'cancel';
    this.#wished.abort();
    this.#run?.cancel(reason);
  }

  onGiveBack(): void {
    this.handOver();
  }

  async #hold(): Promise<HeldJobEnd> {
    // So that a wish of the turn that claimed the job (a drain) needs no run.
    await Promise.resolve();
    try {
      let end: HeldJobEnd | undefined;
      while (end === undefined) end = await (this.#endUnrun() ?? this.#endOfRun(await this.#runOnce()));
      // Rule 6.
      if (end === 'lost' && !this.#isLetGo && !this.#journal.wasOpened) return await this.#finish({ type: 'released' });
      return end;
    } catch (thrown) {
      return await this.#fail(asMvmError(thrown));
    } finally {
      this.#lease.release();
    }
  }

  /** The end that needs no run; undefined: there is one to begin. */
  #endUnrun(): HeldJobEnd | Promise<HeldJobEnd> | undefined {
    if (this.#dropped.aborted) return 'lost';
    if (this.#wish === 'run') return undefined;
    return this.#finish({ type: this.#wish === 'cancel' ? 'cancelled' : 'released' });
  }

  async #runOnce(): Promise<HostRunEnd> {
    this.#absence.runBegins();
    const run = this.#options.host.run(this.#claimed, this);
    this.#run = run;
    try {
      return await new Promise((resolve, reject) => {
        this.#giveUp = resolve;
        run.ended.then(resolve, reject);
      });
    } finally {
      this.#run = undefined;
      this.#patience?.cancel();
    }
  }

  /** What the end of a run means for the job; undefined: another run must follow. */
  #endOfRun(end: HostRunEnd): HeldJobEnd | Promise<HeldJobEnd | undefined> {
    switch (end.type) {
      case 'finished':
        return end.outcome.type;
      case 'dropped':
        return this.#journal.refusal ? this.#fail(this.#journal.refusal) : 'lost';
      case 'interrupted':
        return this.#interrupted(end);
    }
  }

  /** Rule 5. */
  #waitForEngine(ms: number): void {
    const { clock } = this.#options;
    this.#patience = clock.after(ms, () => {
      const leftMs = this.#grantedUntilMs - clock.monotonicMs();
      if (leftMs > 0) return this.#waitForEngine(leftMs);
      const error = mvmError('DEADLINE_EXCEEDED', 'the engine did not give the job back in time');
      this.#giveUp?.({ type: 'interrupted', error });
      this.#run?.drop();
    });
  }

  /** Rule 4. */
  async #interrupted({ error, hasBegun = false }: Interruption): Promise<HeldJobEnd | undefined> {
    const settled = await this.#journal.settle(error);
    if (settled.type === 'finished') return settled.outcome.type;
    if (settled.type === 'refused') return this.#fail(settled.error);
    if (this.#absence.interrupted({ ...settled, hasBegun })) this.#backoff?.reset();
    this.#sayInterrupted(error);
    if (this.#absence.isSuspicious && this.#wish === 'run') return 'abandoned';
    // At rest it is now: the run that was to hand it over is gone.
    if (this.#absence.isTooLong || this.#isHandedOver) this.release();
    // A silent engine may wake up, and not know yet that it was given up: rule 5.
    if (error.details?.['silenceMs'] !== undefined) await this.#untilUngranted();
    this.#backoff ??= new Backoff(this.#options.clock, this.#options.random);
    await this.#backoff.wait(AbortSignal.any([this.#dropped.signal, this.#wished.signal]));
    return undefined;
  }

  async #untilUngranted(): Promise<void> {
    const { clock } = this.#options;
    await pause(clock, Math.max(0, this.#grantedUntilMs - clock.monotonicMs()), this.#dropped.signal);
  }

  async #finish(outcome: FinishOutcome): Promise<HeldJobEnd> {
    await this.#journal.finish(outcome);
    return outcome.type;
  }

  #drop(): void {
    this.#dropped.abort();
    this.#run?.drop();
    this.#journal.lose();
  }

  #sayLost(error: MvmError): void {
    this.#options.logger.warn({ ...jobFacts(this.#claimed), err: error }, 'a lease is lost: the job goes on elsewhere');
  }

  #sayInterrupted(error: MvmError): void {
    const { logger } = this.#options;
    const fields = { ...jobFacts(this.#claimed), err: error };
    if (this.#absence.isSuspicious) logger.error(fields, 'a job is left to its lease: it may be what ends the engines');
    else if (this.#absence.isTooLong) logger.warn(fields, 'a job finds no engine: it is given back');
    else logger.info(fields, 'a run was interrupted: the job goes on from its journal');
  }

  #refused(error: MvmError): void {
    if (error instanceof StaleLeaseError && !this.#endIn(error)) this.#sayLost(error);
    this.#run?.drop();
  }

  /** The job can't go on here: rule 3. */
  async #fail(error: MvmError): Promise<HeldJobEnd> {
    const { logger } = this.#options;
    const facts = jobFacts(this.#claimed);
    if (error instanceof StaleLeaseError) return this.#endIn(error) ?? 'lost';
    if (this.#dropped.aborted) return 'lost';
    if (!this.#isOfJob(error)) {
      logger.error({ ...facts, err: error }, 'a job is left to its lease: this worker has a fault');
      return 'abandoned';
    }
    try {
      return await this.#finish({ type: 'failed', error: error.toRecord(), retryable: false });
    } catch (thrown) {
      logger.error({ ...facts, err: thrown }, 'a job could not be ended: its lease runs out');
      return 'abandoned';
    }
  }

  /** Whether an error is the job's own fault; what is refused as malformed is so wherever it comes from, if it was of its journal. */
  #isOfJob(error: MvmError): boolean {
    return endsJob.has(error.code) || (error.code === 'INVALID_ARGUMENT' && error === this.#journal.refusal);
  }

  /** How the job ended under this lease, if that is why the lease is over. */
  #endIn({ details }: MvmError): HeldJobEnd | undefined {
    if (details?.['current_epoch'] !== this.#claimed.epoch) return undefined;
    return finalStates.find((state) => state === details['state']);
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
