/**
 * Errands that wait for an idle worker, and those that one has taken. It owns both, in memory: an errand changes nothing, so one that is lost
 * is only done again.
 *
 *   1. Each errand is settled once: by its outcome, or by `UNAVAILABLE` when nobody takes it in time, or whoever took it says nothing.
 *   2. A worker takes errands when its waiting claim was answered with nothing but the word that there are some: then it is idle.
 *   3. Somebody waits for the answer to a query: these go first, and holders of jobs learn of them with their heartbeats. When no worker
 *      has taken one for `queryLeftMs`, the engine in this process is told, if there is one.
 *   4. Whoever is called, or has taken an errand, may be dead: others are called every `errandCallMs`, and what was taken is offered
 *      once more after `queryAgainMs` or `replayAgainMs`. The first outcome counts.
 */
import {
  errorFromRecord,
  mvmError,
  type Clock,
  type Errand,
  type ErrandOutcome,
  type ErrandQuery,
  type ReplayVerdict,
  type Timer,
} from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { uuid, type Random } from '../random.ts';

interface Posted {
  readonly errand: Errand;
  readonly settle: PromiseWithResolvers<ErrandOutcome>;
  timer: Timer;
  /** Runs until others are called, or may take it too. */
  patience: Timer;
  isOfferedAgain: boolean;
}

/** What the board needs. */
export interface ErrandBoardParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Tells an idle worker that there is an errand. */
  readonly callWorker: () => void;
  /** Tells the engine in this process that there is a query. */
  readonly callEngine: () => void;
}

/** See the head of this file. */
export class ErrandBoard {
  readonly #parts: ErrandBoardParts;
  readonly #open = new Map<string, Posted>();
  readonly #taken = new Map<string, Posted>();

  constructor(parts: ErrandBoardParts) {
    this.#parts = parts;
  }

  /** Whether a query waits for somebody. */
  get hasOpenQuery(): boolean {
    return this.#oldest((errand) => errand.query !== undefined) !== undefined;
  }

  /** Whether an errand waits for somebody. */
  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  /**
   * Has an idle worker replay a journal.
   *
   * @throws {MvmError} `UNAVAILABLE` when none takes it in time, when it never says what came of it, or too many wait; what the worker says
   */
  async ask(what: Omit<Errand, 'id' | 'query'>, signal: AbortSignal): Promise<ReplayVerdict> {
    const outcome = await this.#post(what, signal);
    if ('verdict' in outcome) return outcome.verdict;
    throw mvmError('UNAVAILABLE', 'the worker that replayed the journal gave no verdict');
  }

  /** Has an idle worker ask a workflow at its journal's end. @returns JSON text @throws as {@link ErrandBoard.ask} */
  async query(what: Omit<Errand, 'id'> & { readonly query: ErrandQuery }, signal: AbortSignal): Promise<string> {
    const outcome = await this.#post(what, signal);
    if ('answer' in outcome) return outcome.answer;
    throw mvmError('UNAVAILABLE', 'the worker that was asked is of a release that knows no queries');
  }

  async #post(what: Omit<Errand, 'id'>, signal: AbortSignal): Promise<ErrandOutcome> {
    const { clock, random, callWorker, callEngine } = this.#parts;
    if (this.#open.size >= controlLimits.errandsWaitingMax)
      throw mvmError('UNAVAILABLE', `${controlLimits.errandsWaitingMax} errands wait already`);
    const errand = { id: uuid(random), ...what };
    const giveUp = (why: string): void => this.#fail(errand.id, why);
    const timer = clock.after(controlLimits.errandTakeMs, () => giveUp(untakenReason(what)));
    const left = what.query && clock.after(controlLimits.queryLeftMs, callEngine);
    const patience = this.#callLater(errand.id);
    const posted: Posted = { errand, settle: Promise.withResolvers(), timer, patience, isOfferedAgain: false };
    this.#open.set(errand.id, posted);
    const leave = (): void => giveUp('nobody waits for it any more');
    signal.addEventListener('abort', leave, { once: true });
    callWorker();
    try {
      return await posted.settle.promise;
    } finally {
      signal.removeEventListener('abort', leave);
      posted.timer.cancel();
      posted.patience.cancel();
      left?.cancel();
    }
  }

  #callLater(id: string): Timer {
    return this.#parts.clock.after(controlLimits.errandCallMs, () => {
      const posted = this.#open.get(id);
      if (!posted) return;
      posted.patience = this.#callLater(id);
      this.#parts.callWorker();
    });
  }

  /** An errand that a worker has taken. @throws INVALID_TRANSITION when nobody waits for its outcome any more */
  taken(id: string): Errand {
    const posted = this.#taken.get(id);
    if (posted) return posted.errand;
    throw mvmError('INVALID_TRANSITION', `nobody waits for errand "${id}" any more`);
  }

  /**
   * Gives the oldest query to a worker, or the oldest errand when nobody asks anything.
   *
   * @param readsParts false: only those whose journal is whole
   */
  take(readsParts = true): Errand | undefined {
    const isFit = ({ next }: Errand): boolean => readsParts || next === undefined;
    const posted = this.#oldest((errand) => errand.query !== undefined && isFit(errand)) ?? this.#oldest(isFit);
    if (!posted) return undefined;
    const { id } = posted.errand;
    this.#open.delete(id);
    this.#taken.set(id, posted);
    posted.timer.cancel();
    posted.timer = this.#parts.clock.after(controlLimits.errandMs, () =>
      this.#fail(id, 'the worker that took it says nothing'),
    );
    posted.patience.cancel();
    const { queryAgainMs, replayAgainMs } = controlLimits;
    const againMs = posted.errand.query ? queryAgainMs : replayAgainMs;
    if (!posted.isOfferedAgain) posted.patience = this.#parts.clock.after(againMs, () => this.#offerAgain(posted));
    return posted.errand;
  }

  /** Rule 4. Whoever has it already may still answer. */
  #offerAgain(posted: Posted): void {
    const { callWorker, callEngine } = this.#parts;
    const { id, query } = posted.errand;
    posted.isOfferedAgain = true;
    this.#open.set(id, posted);
    posted.patience = this.#callLater(id);
    callWorker();
    if (query) callEngine();
  }

  /** A worker says what came of an errand; one that nobody waits for any more means nothing. */
  settle(id: string, outcome: ErrandOutcome): void {
    const posted = this.#taken.get(id);
    this.#taken.delete(id);
    this.#open.delete(id);
    if (!posted) return;
    if ('error' in outcome) posted.settle.reject(errorFromRecord(outcome.error));
    else posted.settle.resolve(outcome);
  }

  /** Gives all of them up. Idempotent. */
  stop(): void {
    for (const id of [...this.#open.keys(), ...this.#taken.keys()]) this.#fail(id, 'the control plane stops');
  }

  #oldest(isWanted: (errand: Errand) => boolean): Posted | undefined {
    return this.#open.values().find(({ errand }) => isWanted(errand));
  }

  #fail(id: string, why: string): void {
    const posted = this.#open.get(id) ?? this.#taken.get(id);
    this.#open.delete(id);
    this.#taken.delete(id);
    posted?.timer.cancel();
    const what = posted?.errand.query ? 'the job was not asked' : 'the replay was not done on a worker';
    posted?.settle.reject(mvmError('UNAVAILABLE', `${what}: ${why}`));
  }
}

// Workers that use the control plane's engine take no errands, and it answers questions only with an engine that it lends.
const untakenReason = ({ query }: Pick<Errand, 'query'>): string =>
  query === undefined
    ? 'no worker with an engine is idle'
    : `no worker with an engine took the question within ${controlLimits.errandTakeMs / 1_000} s, nor did an engine of the ` +
      'control plane; start a worker without --flawless-url or with an engine server of this release, or the control plane with --engine on';
