/**
 * Decides what happens in one attempt: a pure state machine between its guest, its effects and its journal. Events go
 * in, what the shell must do comes out, as values in their order (docs/internals/step-machine.md). It owns the attempt's
 * journal, the book of open calls and what is known of the inbox; its shell owns the guest, the timers, the requests and
 * the sink.
 *
 *   1. The journal only grows, and only by what is in an `append` or `finish` output (I7).
 *   2. A `fetch` output comes only after the entry that asked for it is durable (I4, I5), and so does the answer of a
 *      `start` or `send`, whose effect is part of that entry's transaction; `wake` comes at once.
 *   3. While the guest is in a step, answers wait here and are journalled after that step's `intents` (rule 3).
 *   4. `finish` is the last output; whatever comes after it changes nothing.
 *   5. A journal that is continued is replayed before anything else: effects whose outcome is unknown start again only
 *      when the guest has asked for all of them as recorded (I6).
 *   6. No clock: `now` is in the events, and an entry's time never goes back (rule 6).
 *   7. An item of the inbox is given to a call when its answer is journalled, not before: an abandoned receive leaves it.
 *
 * "Rule n" is that of `docs/internals/step-machine.md`.
 */
import type {
  Answer,
  CompleteIntent,
  FailIntent,
  FetchIntent,
  FinishOutcome,
  InboxItem,
  Intent,
  JobProgress,
  JournalEntry,
  SendIntent,
  StartedEntry,
  StartIntent,
} from '@mvm-ci/protocol';
import type { StepOutcome } from '../guest/guest.ts';
import { withAuthorPlaces } from '../guest/log-places.ts';
import type { GuestStep } from './activation.ts';
import { Arrivals, type Arrival } from './arrivals.ts';
import { CallBook, type OpenCall } from './call-book.ts';
import {
  divergence,
  faultFailure,
  journalIsFull,
  recordedFailure,
  startObjection,
  thrownFailure,
  workflowStuck,
} from './failure.ts';
import { InsideBook } from './inside-book.ts';
import { failedOutcome, type Failure } from './outcome.ts';
import { foundAnswer, performedAgain } from './resumption.ts';
import { appendOf, appendsOf, finishOf, type RunOutput, type RunStart, type Shipment } from './run-output.ts';
import type { RunHead } from './run-head.ts';
import { StepLog } from './step-log.ts';

/** What one `intents` entry asked for that waits until `entries` entries are durable. */
interface Gate {
  readonly entries: number;
  readonly calls: readonly (FetchIntent | StartIntent | SendIntent)[];
}

type Phase = 'resting' | 'stepping' | 'releasing' | 'over';

export class RunCore {
  readonly #start: RunStart;
  readonly #mapStack: (stack: string) => string;
  readonly #log: StepLog;
  readonly #calls = new CallBook();
  readonly #inside: InsideBook;
  readonly #arrivals = new Arrivals();
  #phase: Phase = 'resting';
  #started: StartedEntry | undefined;
  #lastHead: RunHead | undefined;
  #gates: Gate[] = [];
  #isListening = false;
  /** The attempt is given back at the next rest (`handOver`). */
  #isHandedOver = false;
  /** Calls that were open where the journal ends; set until the replay is through (5). */
  #unresumed: readonly OpenCall[] | undefined;

  constructor(start: RunStart, mapStack: (stack: string) => string) {
    this.#start = start;
    this.#mapStack = mapStack;
    this.#inside = new InsideBook(start);
    this.#log = new StepLog(start.head);
    if (!start.head) return;
    this.#started = start.head.started;
    this.#calls.restore(start.head.open, start.head.lastCall);
    this.#inside.restore(start.head);
  }

  /** The steps from number `first` on (from 0): the recorded ones and, last, the one that is being taken. */
  stepsFrom(first: number): readonly GuestStep[] {
    return this.#log.stepsFrom(first);
  }

  /** Whether {@link stepsFrom} has these steps, or a head stands for some of them. */
  hasSteps(first: number): boolean {
    return this.#log.has(first);
  }

  /** Takes over the steps that a head stood for, from a journal that has at least its entries. */
  recallSteps(journal: readonly JournalEntry[]): void {
    this.#log.recall(journal);
  }

  /** What it knew of the journal after the guest's last step, for whoever goes on from there; undefined unless the guest is at rest. */
  get head(): RunHead | undefined {
    if (this.#phase === 'stepping' || this.#phase === 'releasing') return undefined;
    return this.#log.hasTail ? this.#lastHead : this.#headNow;
  }

  get #headNow(): RunHead | undefined {
    if (!this.#started || endOf(this.#log.lastIntents)) return undefined;
    const { length: entries, recordedSteps: steps, bytes, now } = this.#log;
    const { last: lastCall, open } = this.#calls;
    return { started: this.#started, entries, steps, bytes, now, lastCall, open, ...this.#inside.facts };
  }

  /** Before answers are journalled of which the guest is told by its next holder. */
  #keepHead(): void {
    if (!this.#log.hasTail) this.#lastHead = this.#headNow;
  }

  /** How many of the journal's entries are behind the first `steps` steps. */
  entriesAfter(steps: number): number {
    return this.#log.entriesAfter(steps);
  }

  /** About how many bytes the journal has. */
  get journalBytes(): number {
    return this.#log.bytes;
  }

  /** The first event: starts the attempt, or goes on where its journal ends. */
  begin(now: number): readonly RunOutput[] {
    const objection = startObjection(this.#start);
    if (objection) return this.#fail(objection, now);
    if (this.#start.journal.length === 0 && !this.#start.head) return this.#startFresh(now);
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
        return this.#finish(this.#journalAnswers(this.#arrivals.drain(), now), { type: 'released' });
    }
  }

  /** An effect ended, or a timer fired. An answer that nobody waits for is dropped (rule 5). */
  answered(call: number, answer: Answer, now: number): readonly RunOutput[] {
    return this.#arrive([{ call, answer }], now);
  }

  /** The journal's first `entries` entries are durable; `refused`: what their effects inside the system came to. */
  durable(entries: number, now: number, refused: readonly InboxItem[] = []): readonly RunOutput[] {
    if (this.#phase === 'over' || this.#phase === 'releasing') return [];
    this.#inside.addRefused(refused);
    const ready = this.#gates.filter((gate) => gate.entries <= entries).flatMap(({ calls }) => calls);
    if (ready.length === 0) return [];
    this.#gates = this.#gates.filter((gate) => gate.entries > entries);
    const fetches: RunOutput[] = [];
    const settled: Arrival[] = [];
    for (const intent of ready) {
      if (!this.#calls.has(intent.call)) this.#inside.giveUp(intent.call);
      else if (intent.type === 'fetch') fetches.push({ type: 'fetch', intent });
      else settled.push({ call: intent.call, ...this.#inside.settle(intent) });
    }
    return [...fetches, ...(settled.length > 0 ? this.#arrive(settled, now) : [])];
  }

  /** The answer to `listen`. */
  heard(items: readonly InboxItem[], now: number): readonly RunOutput[] {
    if (this.#phase === 'over' || this.#phase === 'releasing') return [];
    this.#isListening = false;
    this.#inside.hear(items);
    return [...this.#arrive([], now), ...this.#listen()];
  }

  /** The time of a `rest` output has passed without a step. */
  rested(now: number): readonly RunOutput[] {
    return this.#phase === 'resting' && this.#isIdle(now) ? this.#suspend() : [];
  }

  /** Ends the attempt as cancelled. */
  cancel(): readonly RunOutput[] {
    return this.#phase === 'over' ? [] : this.#leave({ type: 'cancelled' });
  }

  /** Gives the attempt back; a step that is being taken is finished first, so that its answers are not lost. */
  release(): readonly RunOutput[] {
    if (this.#phase === 'over' || this.#phase === 'releasing') return [];
    if (this.#phase === 'resting') return this.#leave({ type: 'released' });
    this.#phase = 'releasing';
    return this.#aborts();
  }

  /**
   * Gives the attempt back as soon as nothing of it goes on outside: effects in flight end first, and their answers are journalled,
   * but the guest takes no step with them. So no effect is begun whose outcome its next holder would not know.
   */
  handOver(): readonly RunOutput[] {
    this.#isHandedOver = true;
    return this.#phase === 'resting' && this.#mayHandOver ? this.#leave({ type: 'released' }) : [];
  }

  get #mayHandOver(): boolean {
    return this.#isHandedOver && this.#calls.isQuiet;
  }

  #startFresh(now: number): readonly RunOutput[] {
    const { job, attempt, module, runtime, workflow, input, seed } = this.#start;
    const facts = { job, attempt, module, runtime, workflow, input, seed };
    const started = { kind: 'started', at: this.#log.at(now), ...facts } as const;
    this.#started = started;
    this.#log.add(started);
    this.#phase = 'stepping';
    return [{ type: 'append', entries: [started] }, { type: 'step' }];
  }

  /** Takes over an entry that is recorded already. */
  #recall(entry: JournalEntry): void {
    if (entry.kind === 'intents') {
      this.#calls.add(entry.intents, this.#log.now);
      this.#inside.ask(entry.intents);
    }
    if (entry.kind === 'answered') {
      const call = this.#calls.get(entry.call);
      if (call) this.#inside.recall(call.intent, entry.answer);
      this.#calls.close(entry.call);
    }
    if (entry.kind === 'started') this.#started = entry;
    this.#log.add(entry);
  }

  /** After a journal was recalled: performs again what has an unknown outcome, and lets the guest go on. */
  #goOn(now: number): readonly RunOutput[] {
    const last = this.#log.last;
    if (last?.kind === 'completed') return this.#finish(nothing, { type: 'completed', result: last.result });
    if (last?.kind === 'failed') return this.#finish(nothing, failedOutcome(recordedFailure(last)));
    const end = endOf(this.#log.lastIntents);
    if (last?.kind === 'intents' && end) return this.#end(end, nothing, now);
    this.#unresumed = this.#calls.open;
    this.#inside.recalled(this.#unresumed);
    this.#phase = 'stepping';
    return [{ type: 'step' }];
  }

  /** The replay went through: the guest goes on with what the journal's end still told it, and open calls go on too. */
  #replayed(intents: readonly Intent[], now: number): readonly RunOutput[] {
    const open = this.#unresumed ?? [];
    this.#unresumed = undefined;
    for (const call of open) {
      const found = foundAnswer(call, this.#inside);
      if (found) this.#arrivals.keep({ call: call.intent.call, ...found });
    }
    const outputs = this.#log.hasTail ? this.#accept(intents, now) : this.#settle(nothing, now);
    if (this.#phase === 'over') return outputs;
    return [...open.filter(({ intent }) => this.#calls.has(intent.call)).flatMap(performedAgain), ...outputs];
  }

  #accept(intents: readonly Intent[], now: number): readonly RunOutput[] {
    const objection = this.#calls.objection(intents);
    if (objection) return this.#fail(objection, now);
    const abandoned = intents.filter((intent) => intent.type === 'abandon').filter(({ call }) => this.#calls.has(call));
    this.#calls.add(intents, this.#log.now);
    const entry: JournalEntry = { kind: 'intents', intents: withAuthorPlaces(intents, this.#mapStack) };
    this.#log.add(entry);
    const full = journalIsFull(this.#log);
    if (full) return this.#fail(full, now, { entries: [entry] });
    const progress = progressOf(intents);
    const asked = { entries: [entry], internal: this.#inside.ask(intents), ...(progress && { progress }) };
    const end = endOf(intents);
    if (end) return this.#end(end, asked, now);
    const starts = this.#startEffects(intents);
    const aborts = abandoned.map(({ call }): RunOutput => ({ type: 'abort', call }));
    const settled = this.#settle(asked, now);
    return [...aborts, ...settled, ...(this.#isOver ? [] : starts)];
  }

  // A method: what a call has changed, the compiler doesn't see.
  get #isOver(): boolean {
    return this.#phase === 'over';
  }

  /** Timers start at once; what leaves the guest when this step's entry is durable (rule 4). */
  #startEffects(intents: readonly Intent[]): readonly RunOutput[] {
    const gated = intents.filter(isGated).filter(({ call, type }) => type !== 'fetch' || this.#calls.has(call));
    if (gated.length > 0) this.#gates.push({ entries: this.#log.length, calls: gated });
    return intents
      .filter((intent) => intent.type === 'sleep')
      .filter((intent) => this.#calls.has(intent.call))
      .map(({ call, ms }) => ({ type: 'wake', call, atMs: this.#log.now + ms }));
  }

  /** After a step: appends what it asked for and the answers that waited; steps the guest again if there were any. */
  #settle(asked: Shipment, now: number): readonly RunOutput[] {
    if (this.#phase === 'releasing' || this.#isHandedOver) this.#keepHead();
    if (this.#phase === 'releasing')
      return this.#finish(asked, { type: 'released' }, this.#journalAnswers(this.#arrivals.drain(), now));
    this.#phase = 'resting';
    const told = this.#journalAnswers([...this.#arrivals.drain(), ...this.#found()], now);
    const appends = appendsOf(asked, told);
    if (this.#mayHandOver) return [...this.#aborts(), ...this.#finish(asked, { type: 'released' }, told)];
    if (this.#isHandedOver) return appends;
    if (told.entries.length > 0) {
      this.#phase = 'stepping';
      return [...appends, { type: 'step' }, ...this.#listen()];
    }
    if (this.#calls.size === 0) return [...appends, ...this.#fail(workflowStuck, now)];
    return [...appends, ...this.#listen(), ...this.#rest(now)];
  }

  /** Answers that came by themselves: told at rest, with what the inbox has for the guest; kept during a step. */
  #arrive(arrivals: readonly Arrival[], now: number): readonly RunOutput[] {
    if (this.#phase === 'over') return [];
    const wanted = arrivals.filter(({ call }) => this.#calls.has(call));
    if (this.#phase !== 'resting') {
      for (const arrival of wanted) this.#arrivals.keep(arrival);
      return [];
    }
    if (this.#isHandedOver) this.#keepHead();
    const told = this.#journalAnswers([...wanted, ...this.#found()], now);
    if (told.entries.length === 0) return [];
    const full = journalIsFull(this.#log);
    if (full) return this.#fail(full, now, told);
    if (this.#mayHandOver) return [...this.#aborts(), ...this.#finish(told, { type: 'released' })];
    if (this.#isHandedOver) return appendOf(told);
    this.#phase = 'stepping';
    return [...appendOf(told), { type: 'step' }];
  }

  /** What the inbox has for calls that wait, oldest item and oldest call first (7). */
  #found(): readonly Arrival[] {
    if (!this.#calls.isListening) return [];
    return this.#calls.listeners.flatMap((intent) => {
      const found = this.#inside.find(intent);
      return found ? [{ call: intent.call, ...found }] : [];
    });
  }

  #journalAnswers(arrivals: readonly Arrival[], now: number): Shipment {
    const wanted = arrivals.filter(({ call }) => this.#calls.has(call));
    this.#inside.read(arrivals.flatMap(({ item }) => item ?? []));
    if (wanted.length === 0) return nothing;
    const entries = wanted.map(({ call, answer }) => {
      const entry = { kind: 'answered', at: this.#log.at(now), call, answer } as const;
      this.#calls.close(call);
      this.#log.add(entry);
      return entry;
    });
    return { entries, internal: this.#inside.consume() };
  }

  #listen(): readonly RunOutput[] {
    if (this.#isOver || this.#calls.isListening === this.#isListening) return [];
    this.#isListening = this.#calls.isListening;
    return [this.#isListening ? { type: 'listen', after: this.#inside.heard } : { type: 'hush' }];
  }

  /** Nothing can happen here for long: what only sleeps is given back at once, what listens when it has rested for a while. */
  #rest(now: number): readonly RunOutput[] {
    if (!this.#isIdle(now)) return [];
    return this.#calls.isListening ? [{ type: 'rest', ms: this.#start.suspendAfterMs }] : this.#suspend();
  }

  #isIdle(now: number): boolean {
    return this.#calls.isWaiting && this.#calls.wakeAtMs - now > this.#start.suspendAfterMs;
  }

  #suspend(): readonly RunOutput[] {
    const { wakeAtMs } = this.#calls;
    const wakeAt = Number.isFinite(wakeAtMs) ? Math.ceil(wakeAtMs) : null;
    return this.#leave({ type: 'suspended', wakeAt, seen: this.#inside.heard });
  }

  /** The guest's own end (rule 8). */
  #end(end: CompleteIntent | FailIntent, asked: Shipment, now: number): readonly RunOutput[] {
    if (end.type === 'fail') return this.#fail(thrownFailure(end, this.#mapStack), now, asked);
    const { result } = end;
    const completed = { kind: 'completed', at: this.#log.at(now), result } as const;
    return [...this.#aborts(), ...this.#finish(asked, { type: 'completed', result }, { entries: [completed] })];
  }

  #fail(failure: Failure, now: number, shipment: Shipment = nothing): readonly RunOutput[] {
    const outcome = failedOutcome(failure);
    const { code, message } = outcome.error;
    const failed = { kind: 'failed', at: this.#log.at(now), code, message } as const;
    const entries = this.#log.length + shipment.entries.length === 0 ? [] : [failed];
    return [...this.#aborts(), ...this.#finish(shipment, outcome, { entries })];
  }

  #leave(outcome: FinishOutcome): readonly RunOutput[] {
    return [...this.#aborts(), ...this.#finish(nothing, outcome)];
  }

  #finish(shipment: Shipment, outcome: FinishOutcome, last: Shipment = nothing): readonly RunOutput[] {
    this.#phase = 'over';
    return finishOf(shipment, last, outcome);
  }

  #aborts(): readonly RunOutput[] {
    return this.#calls.open.map(({ intent }) => ({ type: 'abort', call: intent.call }));
  }
}

const nothing: Shipment = { entries: [] };

const isGated = (intent: Intent): intent is FetchIntent | StartIntent | SendIntent =>
  intent.type === 'fetch' || intent.type === 'start' || intent.type === 'send';

const progressOf = (intents: readonly Intent[]): JobProgress | undefined => {
  const last = intents.filter((intent) => intent.type === 'progress').at(-1);
  return last && { percent: last.percent, text: last.text };
};

const endOf = (intents: readonly Intent[]): CompleteIntent | FailIntent | undefined => {
  const last = intents.at(-1);
  return last?.type === 'complete' || last?.type === 'fail' ? last : undefined;
};
