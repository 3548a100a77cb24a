/**
 * Does errands while the worker is idle: replays of journals that somebody wants judged, or the workflow asked at
 * their ends. It takes no slot and holds no lease.
 *
 *   1. One errand at a time, in guest threads that jobs use too; a job that is claimed meanwhile runs beside it.
 *   2. What goes wrong is the errand's outcome, or nobody's concern: whoever asked for it does it himself then.
 */
import { verdictOf, type Replayer } from '@mvm-ci/engine';
import {
  asMvmError,
  batchEntries,
  chainStart,
  checkBatches,
  isSnapshotOf,
  mvmError,
  type Errand,
  type ErrandOutcome,
  type ErrandRequest,
  type JournalBatch,
} from '@mvm-ci/protocol';
import type { ControlPlane } from './control-plane.ts';
import type { Logger } from './logger.ts';

export interface ErrandRunnerOptions {
  readonly controlPlane: Pick<ControlPlane, 'errand' | 'errandJournal'>;
  /** Who replays; undefined while there is nobody. */
  readonly replayer: () => Replayer | undefined;
  readonly logger: Logger;
  /** Ends it: no further errand is taken. */
  readonly signal: AbortSignal;
}

/** See the head of this file. */
export class ErrandRunner {
  readonly #options: ErrandRunnerOptions;
  #isRunning = false;

  constructor(options: ErrandRunnerOptions) {
    this.#options = options;
  }

  /** There are errands: does them until there are none, unless it does so already. */
  wake(): void {
    const { replayer, signal } = this.#options;
    if (this.#isRunning || signal.aborted || !replayer()) return;
    this.#isRunning = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    const { controlPlane, logger, signal } = this.#options;
    let done: ErrandRequest['done'];
    try {
      while (!signal.aborted) {
        const { errand } = await controlPlane.errand({ done, readsParts: true }, { signal });
        if (!errand) break;
        logger.debug({ job: errand.job, attempt: errand.attempt, module: errand.module }, 'replaying for somebody');
        done = { id: errand.id, outcome: await this.#outcome(errand) };
      }
    } catch (error) {
      if (!signal.aborted) logger.debug({ err: error }, 'an errand was given up');
    } finally {
      this.#isRunning = false;
    }
  }

  async #outcome(errand: Errand): Promise<ErrandOutcome> {
    const { signal } = this.#options;
    const replayer = this.#options.replayer();
    const { job, attempt, module, workflow, query, snapshot } = errand;
    try {
      if (!replayer) throw mvmError('UNAVAILABLE', 'the engine of the worker that took it is gone');
      const batches = await this.#batches(errand);
      checkBatches(chainStart(job, attempt), batches);
      const request = { job, attempt, module, workflow, journal: batchEntries(batches) };
      const fitting = snapshot && isSnapshotOf(snapshot, batches) ? snapshot : undefined;
      if (query) return { answer: await replayer.query({ ...request, ...query, snapshot: fitting }, { signal }) };
      return { verdict: verdictOf(await replayer.replay(request, { signal })) };
    } catch (error) {
      return { error: asMvmError(error).toRecord() };
    }
  }

  /** All of the journal, as it was when its last part was read. */
  async #batches({ id, batches, next }: Errand): Promise<readonly JournalBatch[]> {
    const { controlPlane, signal } = this.#options;
    const all = [...batches];
    let from = next ?? null;
    while (from !== null) {
      const start = from;
      const part = await controlPlane.errandJournal({ errand: id, from: start }, { signal });
      // A job that ended meanwhile may have been packed: then a part begins with batches that are here already.
      all.push(...part.batches.filter(({ firstSeq }) => firstSeq >= start));
      from = part.next;
    }
    return all;
  }
}
