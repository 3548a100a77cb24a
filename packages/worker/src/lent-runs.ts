/**
 * The runs of an engine that a control plane lends. Owns the order in which the runs of one job follow each other.
 *
 *   1. One run per job, whoever held it: a run begins when the one before it is over. Its effects are ended then, and what it has
 *      sent under the same lease is answered; under an older one the store refuses it (I3).
 *   2. When a lease is over its run is dropped at once; only a finish that is on its way is left to its own answer.
 *   3. After `stop` no run waits for the store.
 */
import type { KeptRun } from '@mvm-ci/engine';
import { mvmError, type LeaseRef } from '@mvm-ci/protocol';
import type { HeldJournal } from './journal/held-journal.ts';

/** A run, from its entry to the moment at which nothing of it is under way. */
export interface LentRun {
  readonly lease: LeaseRef;
  readonly journal: Pick<HeldJournal, 'isFinishing' | 'lose'>;
  readonly run: Pick<KeptRun, 'supersede' | 'loseLease'>;
}

export class LentRuns {
  /** By job. */
  readonly #latest = new Map<string, LentRun>();
  readonly #over = new Map<LentRun, PromiseWithResolvers<void>>();
  #isStopped = false;

  /** Runs that are not over. */
  get size(): number {
    return this.#over.size;
  }

  /** Begins a run, and ends the one before it. Resolves when that is over. @throws UNAVAILABLE after `stop` */
  async enter(run: LentRun): Promise<void> {
    if (this.#isStopped) throw mvmError('UNAVAILABLE', 'the control plane stops');
    const former = this.#latest.get(run.lease.job);
    this.#latest.set(run.lease.job, run);
    this.#over.set(run, Promise.withResolvers());
    if (!former) return;
    if (former.lease.epoch === run.lease.epoch) former.run.supersede();
    else end(former);
    await this.#over.get(former)?.promise;
  }

  /** Nothing of this run is under way any more. Idempotent. */
  leave(run: LentRun): void {
    if (this.#latest.get(run.lease.job) === run) this.#latest.delete(run.lease.job);
    this.#over.get(run)?.resolve();
    this.#over.delete(run);
  }

  /** Rule 2. */
  leaseOver({ job, epoch }: LeaseRef): void {
    const run = this.#latest.get(job);
    if (run?.lease.epoch === epoch) end(run);
  }

  stop(): void {
    this.#isStopped = true;
    for (const { journal } of this.#over.keys()) journal.lose();
  }
}

const end = ({ journal, run }: LentRun): void => {
  if (journal.isFinishing) return;
  journal.lose();
  run.loseLease();
};
