/**
 * One attempt, as a pure core: events go in, and what the shell must do comes out, in order. It holds the attempt's
 * journal and the book of open calls; its shell owns the guest, the timers, the requests and the sink.
 *
 *   1. The journal only grows, and only by what is in an `append` or `finish` output (I7).
 *   2. A `fetch` output comes only after the entry that asked for it is durable (I4, I5); `wake` comes at once.
 *   3. While the guest is in a step, answers wait here and are journalled after that step's `intents` (rule 3).
 *   4. `finish` is the last output; whatever comes after it changes nothing.
 *   5. A journal that is continued is replayed before anything else: effects whose outcome is unknown start again only
 *      when the guest has asked for all of them as recorded (I6).
 *   6. No clock: `now` is in the events, and an entry's time never goes back (rule 6).
 *
 * "Rule n" is that of `docs/internals/step-machine.md`.
 */
import type {
  Answer,
  CompleteIntent,
  FailIntent,
  FetchIntent,
  FinishOutcome,
  Intent,
  JobProgress,
  JournalEntry,
  StartedEntry,
} from '@mvm-ci/protocol';
import { isIdempotent } from '../effects/performer.ts';
import { engineLimits } from '../limits.ts';
import { answerBytes } from './entry-size.ts';
import type { StepOutcome } from '../guest/guest.ts';
import type { GuestStep } from './activation.ts';
import { CallBook, type OpenCall } from './call-book.ts';
import {
  corruptJournal,
  divergence,
  faultFailure,
  journalIsFull,
  recordedFailure,
  thrownFailure,
  workflowStuck,
} from './failure.ts';
import { failedOutcome, type Failure } from './outcome.ts';
import { StepLog } from './step-log.ts';

/** What the shell must do, in order. */
export type RunOutput =
  | { readonly type: 'append'; readonly entries: readonly JournalEntry[]; readonly progress?: JobProgress }
  /** Bring the guest to the end of the journal: all of {@link RunCore.stepsFrom} that it hasn't been fed yet. */
  | { readonly type: 'step' }
  /** Start this request, if the lease allows. */
  | { readonly type: 'fetch'; readonly intent: FetchIntent }
  /** Answer this sleep at that Unix time. */
  | { readonly type: 'wake'; readonly call: number; readonly atMs: number }
  /** The call's answer is no longer wanted. */
  | { readonly type: 'abort'; readonly call: number }
  | { readonly type: 'finish'; readonly entries: readonly JournalEntry[]; readonly outcome: FinishOutcome };

/** What the attempt starts from. */
export interface RunStart extends Omit<StartedEntry, 'kind' | 'at'> {
  /** What is recorded of the attempt; only when this is empty are `seed` and `module` written down. */
  readonly journal: readonly JournalEntry[];
}

/** Answers that came during a step. */
interface Arrival {
  readonly call: number;
  readonly answer: Answer;
}

/** Fetches of one `intents` entry that wait until `entries` entries are durable. */
interface Gate {
  readonly entries: number;
  readonly calls: readonly FetchIntent[];
}

type Phase = 'resting' | 'stepping' | 'releasing' | 'over';

export class RunCore {
  readonly #start: RunStart;
  readonly #mapStack: (stack: string) => string;
  readonly #log = new StepLog();
  readonly #calls = new CallBook();
  #phase: Phase = 'resting';
  #arrivals: Arrival[] = [];
  #gates: Gate[] = [];
  /** Calls that were open where the journal ends; set until the replay is through (5). */
  #unresumed: readonly OpenCall[] | undefined;

  constructor(start: RunStart, mapStack: (stack: string) => string) {
    this.#start = start;
    this.#mapStack = mapStack;
  }

  /** The steps from number `first` on (from 0): the recorded ones and, last, the one that is being taken. */
  stepsFrom(first: number): readonly GuestStep[] {
    return this.#log.stepsFrom(first);
  }

  /** The first event: starts the attempt, or goes on where its journal ends. */
  begin(now: number): readonly RunOutput[] {
    const objection = this.#objection();
    if (objection) return this.#fail(objection, now);
    if (this.#start.journal.length === 0) return this.#startFresh(now);
    for (const entry of this.#start.journal) this.#recall(entry);
    return this.#goOn(now);
  }

  /** The guest answered a `step` output. */
  stepped(outcome: StepOutcome, now: number): readonly RunOutput[] {
    if (this.#phase !== 'stepping' && this.#phase !== 'releasing') return [];
    switch (outcome.type) {
      case 'stepped':
        return this.#unresumed ? this.#replayed(outcome.intents, now) : this.#accept(outcome.intents, now);
      case 'diverged':
        return this.#fail(divergence(this.#log, outcome.index, outcome.asked), now);
      case 'faulted':
        return this.#fail(faultFailure(outcome.facts, this.#mapStack), now);
      case 'lost':
        if (this.#phase === 'stepping') return [{ type: 'step' }];
        return this.#finish(this.#drainArrivals(now), { type: 'released' });
    }
  }

  /** An effect ended, or a timer fired. An answer that nobody waits for is dropped (rule 5). */
  answered(call: number, answer: Answer, now: number): readonly RunOutput[] {
    if (this.#phase === 'over' || !this.#calls.has(call)) return [];
    if (this.#phase !== 'resting') {
      if (!this.#arrivals.some((arrival) => arrival.call === call)) this.#keepArrival({ call, answer });
      return [];
    }
    const entries = this.#journalAnswers([{ call, answer }], now);
    const full = journalIsFull(this.#log);
    if (full) return this.#fail(full, now, entries);
    this.#phase = 'stepping';
    return [{ type: 'append', entries }, { type: 'step' }];
  }

  /** The journal's first `entries` entries are durable. */
  durable(entries: number): readonly RunOutput[] {
    if (this.#phase === 'over' || this.#phase === 'releasing') return [];
    const ready = this.#gates.filter((gate) => gate.entries <= entries);
    this.#gates = this.#gates.filter((gate) => gate.entries > entries);
    return ready
      .flatMap((gate) => gate.calls)
      .filter((intent) => this.#calls.has(intent.call))
      .map((intent) => ({ type: 'fetch', intent }));
  }

  /** Ends the attempt as cancelled. */
  cancel(): readonly RunOutput[] {
    if (this.#phase === 'over') return [];
    return [...this.#aborts(), ...this.#finish([], { type: 'cancelled' })];
  }

  /** Gives the attempt back; a step that is being taken is finished first, so that its answers are not lost. */
  release(): readonly RunOutput[] {
    if (this.#phase === 'over' || this.#phase === 'releasing') return [];
    const aborts = this.#aborts();
    if (this.#phase === 'resting') return [...aborts, ...this.#finish([], { type: 'released' })];
    this.#phase = 'releasing';
    return aborts;
  }

  #startFresh(now: number): readonly RunOutput[] {
    const { job, attempt, module, runtime, workflow, input, seed } = this.#start;
    const started = {
      kind: 'started',
      at: this.#log.at(now),
      job,
      attempt,
      module,
      runtime,
      workflow,
      input,
      seed,
    } as const;
    this.#log.add(started);
    this.#phase = 'stepping';
    return [{ type: 'append', entries: [started] }, { type: 'step' }];
  }

  #objection(): Failure | undefined {
    const first = this.#start.journal[0];
    if (!first) return undefined;
    if (first.kind !== 'started') return corruptJournal(`its first entry is "${first.kind}", not "started"`);
    // Not the module: other code is judged by what it asks for (I6).
    const wrong = (['job', 'attempt', 'runtime', 'workflow'] as const).find(
      (field) => first[field] !== this.#start[field],
    );
    return (
      wrong && corruptJournal(`it was started with ${wrong} "${first[wrong]}", the job says "${this.#start[wrong]}"`)
    );
  }

  /** Takes over an entry that is recorded already. */
  #recall(entry: JournalEntry): void {
    if (entry.kind === 'intents') this.#calls.add(entry.intents, this.#log.now);
    if (entry.kind === 'answered') this.#calls.close(entry.call);
    this.#log.add(entry);
  }

  /** After a journal was recalled: performs again what has an unknown outcome, and lets the guest go on. */
  #goOn(now: number): readonly RunOutput[] {
    const last = this.#log.last;
    if (last?.kind === 'completed') return this.#finish([], { type: 'completed', result: last.result });
    if (last?.kind === 'failed') return this.#finish([], failedOutcome(recordedFailure(last)));
    const end = endOf(this.#log.lastIntents);
    if (last?.kind === 'intents' && end) return this.#end(end, [], now);
    this.#unresumed = this.#calls.open;
    this.#phase = 'stepping';
    return [{ type: 'step' }];
  }

  /** The replay went through: the guest goes on with what the journal's end still told it, and open calls go on too. */
  #replayed(intents: readonly Intent[], now: number): readonly RunOutput[] {
    const open = this.#unresumed ?? [];
    this.#unresumed = undefined;
    const outputs = this.#log.hasTail ? this.#accept(intents, now) : this.#rest();
    if (this.#phase === 'over') return outputs;
    const resumed = open.filter(({ intent }) => this.#calls.has(intent.call)).flatMap((call) => this.#resume(call));
    const isWaiting = this.#phase === 'resting' && (this.#arrivals.length > 0 || this.#calls.size === 0);
    return [...outputs, ...resumed, ...(isWaiting ? this.#takeArrivals([], now) : [])];
  }

  #rest(): readonly RunOutput[] {
    if (this.#phase === 'releasing') return this.#finish([], { type: 'released' });
    this.#phase = 'resting';
    return [];
  }

  #resume({ intent, madeAt }: OpenCall): readonly RunOutput[] {
    if (intent.type === 'sleep') return [{ type: 'wake', call: intent.call, atMs: madeAt + intent.ms }];
    if (intent.type !== 'fetch') return [];
    if (isIdempotent(intent)) return [{ type: 'fetch', intent }];
    const message = `whether ${intent.method} ${intent.url} took effect is unknown: it was sent, and its answer was lost`;
    this.#arrivals.push({ call: intent.call, answer: { type: 'error', code: 'OUTCOME_UNKNOWN', message } });
    return [];
  }

  #accept(intents: readonly Intent[], now: number): readonly RunOutput[] {
    const objection = this.#calls.objection(intents);
    if (objection) return this.#fail(objection, now);
    const abandoned = intents.filter((intent) => intent.type === 'abandon').filter(({ call }) => this.#calls.has(call));
    this.#calls.add(intents, this.#log.now);
    const entry: JournalEntry = { kind: 'intents', intents };
    this.#log.add(entry);
    const full = journalIsFull(this.#log);
    if (full) return this.#fail(full, now, [entry]);
    const end = endOf(intents);
    if (end) return this.#end(end, [entry], now);
    if (this.#phase === 'releasing') return this.#finish([entry, ...this.#drainArrivals(now)], { type: 'released' });
    const aborts = abandoned.map(({ call }): RunOutput => ({ type: 'abort', call }));
    const starts = this.#startEffects(intents);
    return [...aborts, ...this.#takeArrivals([entry], now, progressOf(intents)), ...starts];
  }

  /** Timers start at once, requests when this step's entry is durable (rule 4). */
  #startEffects(intents: readonly Intent[]): readonly RunOutput[] {
    const fetches = intents
      .filter((intent) => intent.type === 'fetch')
      .filter((intent) => this.#calls.has(intent.call));
    if (fetches.length > 0) this.#gates.push({ entries: this.#log.length, calls: fetches });
    return intents
      .filter((intent) => intent.type === 'sleep')
      .filter((intent) => this.#calls.has(intent.call))
      .map(({ call, ms }) => ({ type: 'wake', call, atMs: this.#log.now + ms }));
  }

  /** Appends `entries` and the answers that waited; steps the guest if there were any. */
  #takeArrivals(entries: readonly JournalEntry[], now: number, progress?: JobProgress): readonly RunOutput[] {
    const answers = this.#drainArrivals(now);
    const all = [...entries, ...answers];
    const append: RunOutput[] = all.length > 0 ? [{ type: 'append', entries: all, ...(progress && { progress }) }] : [];
    if (answers.length > 0) {
      this.#phase = 'stepping';
      return [...append, { type: 'step' }];
    }
    this.#phase = 'resting';
    if (this.#calls.size > 0) return append;
    return [...append, ...this.#fail(workflowStuck, now)];
  }

  /** Keeps an answer until the step ends; one that would be too much is answered as such instead. */
  #keepArrival(arrival: Arrival): void {
    const bytes = this.#arrivals.reduce((sum, { answer }) => sum + answerBytes(answer), answerBytes(arrival.answer));
    const limit = engineLimits.waitingAnswersBytesMax;
    this.#arrivals.push(bytes <= limit ? arrival : { call: arrival.call, answer: tooMuchWaits(limit, bytes) });
  }

  #drainArrivals(now: number): readonly JournalEntry[] {
    const wanted = this.#arrivals.filter(({ call }) => this.#calls.has(call));
    this.#arrivals = [];
    return this.#journalAnswers(wanted, now);
  }

  #journalAnswers(arrivals: readonly Arrival[], now: number): readonly JournalEntry[] {
    return arrivals.map(({ call, answer }) => {
      const entry = { kind: 'answered', at: this.#log.at(now), call, answer } as const;
      this.#calls.close(call);
      this.#log.add(entry);
      return entry;
    });
  }

  /** The guest's own end (rule 8). */
  #end(end: CompleteIntent | FailIntent, entries: readonly JournalEntry[], now: number): readonly RunOutput[] {
    if (end.type === 'fail') return this.#fail(thrownFailure(end, this.#mapStack), now, entries);
    const { result } = end;
    const completed = { kind: 'completed', at: this.#log.at(now), result } as const;
    return [...this.#aborts(), ...this.#finish([...entries, completed], { type: 'completed', result })];
  }

  #fail(failure: Failure, now: number, entries: readonly JournalEntry[] = []): readonly RunOutput[] {
    const outcome = failedOutcome(failure);
    const { code, message } = outcome.error;
    const failed = { kind: 'failed', at: this.#log.at(now), code, message } as const;
    const added = this.#log.length + entries.length === 0 ? [] : [...entries, failed];
    return [...this.#aborts(), ...this.#finish(added, outcome)];
  }

  #finish(entries: readonly JournalEntry[], outcome: FinishOutcome): readonly RunOutput[] {
    this.#phase = 'over';
    return [{ type: 'finish', entries, outcome }];
  }

  #aborts(): readonly RunOutput[] {
    return this.#calls.open.map(({ intent }) => ({ type: 'abort', call: intent.call }));
  }
}

const tooMuchWaits = (limit: number, bytes: number): Answer => ({
  type: 'error',
  code: 'LIMIT_EXCEEDED',
  message: `answers that wait for a step may have ${limit} bytes together, with this one they have ${bytes}: ask for less at a time`,
});

const progressOf = (intents: readonly Intent[]): JobProgress | undefined => {
  const last = intents.filter((intent) => intent.type === 'progress').at(-1);
  return last && { percent: last.percent, text: last.text };
};

const endOf = (intents: readonly Intent[]): CompleteIntent | FailIntent | undefined => {
  const last = intents.at(-1);
  return last?.type === 'complete' || last?.type === 'fail' ? last : undefined;
};
