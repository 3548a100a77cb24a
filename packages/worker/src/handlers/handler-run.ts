/**
 * One run of a handler: its turn, and how it ends.
 *
 *   1. Of a run that was dropped nothing is told any more: who dropped it knows why.
 *   2. What a handler throws that was told to stop is the answer to that.
 */
import {
  asMvmError,
  limits,
  mvmError,
  type Clock,
  type FinishOutcome,
  type JournalEntry,
  type MvmError,
  type TraceContext,
} from '@mvm-ci/protocol';
import type { HostPorts, HostRun, HostRunEnd } from '../engine-host.ts';
import { LateSignal } from '../late-signal.ts';
import { NonRetryableError, RetryAfterError, type Handler, type HandlerContext } from './handler.ts';
import { jsonText, LongSleep, RecordedContext } from './recorded-context.ts';

/** What is run. */
interface HandlerTask {
  readonly job: string;
  readonly name: string;
  readonly attempt: number;
  /** JSON text. */
  readonly input: string;
  readonly trace?: TraceContext | undefined;
  readonly handler: Handler;
}

/** Who runs when. */
export interface HandlerTurns {
  /** Takes a place, or waits for one. @returns whether there is one; false: `stop` fired first */
  readonly enter: (stop: LateSignal) => boolean | Promise<boolean>;
  /** Gives it to the next. */
  readonly leave: () => void;
}

/** What a run works with. */
export interface HandlerRunOptions {
  readonly task: HandlerTask;
  readonly ports: HostPorts;
  readonly clock: Clock;
  readonly turns: HandlerTurns;
}

/** See the head of this file. */
export class HandlerRun implements HostRun {
  readonly ended: Promise<HostRunEnd>;
  readonly #options: HandlerRunOptions;
  readonly #stop = new LateSignal();
  #wish: 'run' | 'cancel' | 'release' | 'drop' = 'run';

  constructor(options: HandlerRunOptions) {
    this.#options = options;
    this.ended = this.#run();
  }

  cancel(reason: string): void {
    this.#end('cancel', mvmError('CANCELLED', reason));
  }

  /** A handler that has begun is told by its signal. */
  release(): void {
    this.#end('release', mvmError('CANCELLED', 'the worker gives its jobs back'));
  }

  drop(): void {
    this.#end('drop', mvmError('STALE_LEASE', 'the job is not held here any more'));
  }

  #end(wish: 'cancel' | 'release' | 'drop', reason: MvmError): void {
    if (this.#wish === 'drop' || (this.#wish !== 'run' && wish !== 'drop')) return;
    this.#wish = wish;
    this.#stop.abort(reason);
  }

  async #run(): Promise<HostRunEnd> {
    try {
      if (this.#isDropped()) return { type: 'dropped' };
      const { clock, ports } = this.#options;
      const journal = await ports.openJournal();
      const context = new RecordedContext({ journal, clock, stop: this.#stop });
      const outcome = await this.#inTurn(context);
      if (this.#isDropped()) return { type: 'dropped' };
      const isEmpty = journal.count === 0 && !context.hasRecorded;
      await journal.sink.finish(isEmpty ? [] : this.#lastEntries(outcome), outcome);
      return { type: 'finished', outcome };
    } catch (error) {
      if (this.#isDropped()) return { type: 'dropped' };
      throw asMvmError(error);
    }
  }

  /** Runs the handler when its turn has come; others have theirs while the outcome is on its way. */
  async #inTurn(context: HandlerContext): Promise<FinishOutcome> {
    const { task, turns } = this.#options;
    const hasPlace = await turns.enter(this.#stop);
    try {
      if (this.#wish !== 'run') return { type: this.#wish === 'cancel' ? 'cancelled' : 'released' };
      const { job: id, name, attempt, input, trace, handler } = task;
      const given: unknown = JSON.parse(input);
      const job = { id, name, attempt, input: given, ...(trace && { trace }) };
      const result = jsonText(await handler(job, context), 'the result of the handler');
      return { type: 'completed', result };
    } catch (error) {
      return this.#failure(error);
    } finally {
      // What it began and did not wait for records nothing any more.
      this.#stop.abort(handlerHasEnded);
      if (hasPlace) turns.leave();
    }
  }

  // A wish may come while the handler runs.
  #isDropped(): boolean {
    return this.#wish === 'drop';
  }

  #failure(error: unknown): FinishOutcome {
    if (error instanceof LongSleep) return { type: 'suspended', wakeAt: error.until, seen: limits.timeMsMax };
    if (this.#wish === 'cancel') return { type: 'cancelled' };
    if (this.#wish === 'release') return { type: 'released' };
    const record = { code: 'WORKFLOW_FAILED', message: textOf(error).slice(0, limits.errorMessageCharsMax) } as const;
    const retryable = !(error instanceof NonRetryableError);
    const retryAfterMs = error instanceof RetryAfterError ? wholeMs(error.ms) : undefined;
    return { type: 'failed', error: record, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }

  #lastEntries(outcome: FinishOutcome): readonly JournalEntry[] {
    const at = this.#options.clock.wallMs();
    if (outcome.type === 'completed') return [{ kind: 'completed', at, result: outcome.result }];
    if (outcome.type !== 'failed') return [];
    const { code, message } = outcome.error;
    return [{ kind: 'failed', at, code, message }];
  }
}

/** A time that the control plane takes; undefined, so that the backoff counts: it is no number, such as from a header that is a date. */
const wholeMs = (ms: number): number | undefined => {
  const whole = Math.min(limits.durationMsMax, Math.max(0, Math.round(ms)));
  return Number.isNaN(whole) ? undefined : whole;
};

const textOf = (error: unknown): string => {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return `what the handler threw has no text: it is a ${typeof error}`;
  }
};

// Made once: each job ends so, and an error with its stack costs more than the rest of an end.
const handlerHasEnded = mvmError('CANCELLED', 'the handler has ended');
