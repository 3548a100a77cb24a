/**
 * A blocking guest seen as a step machine: its code makes calls and waits for their answers on its own stack, which JSPI
 * suspends; from outside it takes steps like any other guest. It owns the calls and their answers; what runs on the stack
 * (`wasi/wasi-guest.ts`, `flawless/flawless-guest.ts`) owns the instance and its host functions.
 *
 *   1. A step begins when the stack is started or goes on, and ends when it is suspended for an answer that isn't here, or is
 *      at its end. What it asks for depends on the activations alone.
 *   2. Calls are numbered here, from 1, in the order in which they are made: host functions of different kinds share them.
 *   3. Answers are kept from the step that brings them until they are taken, each once.
 *   4. After `close` a suspended stack is unwound, one that runs is at its next wait, and nobody is told: nothing of it is left.
 *   5. A step may take several turns of its thread: code that computes for long is suspended at a charge (`fuel/metering.ts`) while others
 *      take theirs. Nothing that the guest or its journal could tell depends on that.
 *   6. Only a stack that `WebAssembly.promising` has entered can be suspended, and only where no frame of JavaScript is below what runs on it:
 *      all other code of the guest is run {@link Coroutine.undivided}.
 */
import type { Answer, EffectIntent, Intent } from '@mvm-ci/protocol';
import { intentBytes } from '../../run/entry-size.ts';
import { engineLimits, seedBytes } from '../../limits.ts';
import type { Activation, GuestEvent } from '../../run/activation.ts';
import type { FuelMeter } from '../fuel/metering.ts';
import { GuestFault, type Guest } from '../guest.ts';
import { trapFault } from '../trap-fault.ts';
import { checkIntents } from '../intent-rules.ts';
import { ProgramEnd } from './program-end.ts';

/** What a thread offers to a guest whose stack is suspended (`stage.ts`). */
export interface GuestHost {
  /**
   * Call it where the stack is about to be suspended. The promise settles as `ready` does, but only when the guest's turn
   * has come: whoever waits for it must go on at once.
   */
  wait<T>(ready: Promise<T>): Promise<T>;
  /** Counts what the guest does. */
  readonly meter: FuelMeter;
}

/** First event of an attempt. */
export type StartEvent = Extract<GuestEvent, { readonly type: 'start' }>;

/** What a module is loaded with that is only looked at. */
export const nobodysStart: StartEvent = {
  type: 'start',
  job: '',
  attempt: 1,
  workflow: '',
  input: 'null',
  seed: new Uint8Array(seedBytes),
};

/** An intent that is answered, before it has its number. */
export type CallIntent = EffectIntent extends infer T ? (T extends EffectIntent ? Omit<T, 'call'> : never) : never;

/** The program of a blocking guest. */
export interface Program {
  /** Starts its code. The promise is that of `WebAssembly.promising`; it resolves with the intents that end the attempt. */
  run(start: StartEvent, calls: Coroutine): Promise<readonly Intent[]>;
  /**
   * Makes an instance and runs nothing of it but its start function.
   *
   * @returns the entry points that the module names itself
   * @throws {GuestFault} `MODULE_LOAD_FAILED`, `MODULE_INVALID`
   */
  load(calls: Coroutine): readonly string[];
}

/** An answer that was taken. */
export interface TakenAnswer {
  readonly call: number;
  readonly answer: Answer;
}

/** A suspended stack. */
interface Wait {
  /** Goes on if what it waits for is here; returns whether it is. */
  readonly goOn: () => boolean;
  /** Unwinds it. */
  readonly end: () => void;
}

export class Coroutine implements Guest {
  readonly #program: Program;
  readonly #host: GuestHost;
  /** Calls without an answer. */
  readonly #open = new Set<number>();
  /** Answers that nobody took yet, in the order in which they came. */
  readonly #answers = new Map<number, Answer>();
  /** What the guest was told of changes, by their names. */
  readonly #verdicts = new Map<string, boolean>();
  #calls = 0;
  #now = 0;
  #intents: Intent[] = [];
  #intentsBytes = 0;
  #step: PromiseWithResolvers<readonly Intent[]> | undefined;
  #wait: Wait | undefined;
  #isClosed = false;
  /** Whether what runs can't be suspended (6). */
  #isUndivided = false;
  readonly #nextTurn = (): Promise<void> => this.nextTurn();

  constructor(program: Program, host: GuestHost) {
    this.#program = program;
    this.#host = host;
    host.meter.takeTurns(this.#nextTurn);
  }

  /** Counts what its code does: to be attached to the instance. */
  get meter(): FuelMeter {
    return this.#host.meter;
  }

  /** The host moves so many bytes for the guest. @throws {GuestFault} when the guest may not go on */
  work(bytes: number): void {
    this.#host.meter.charge(bytes >>> 3);
  }

  /** The activation's time, Unix ms. */
  get now(): number {
    return this.#now;
  }

  /** Number of the last call that was made. */
  get made(): number {
    return this.#calls;
  }

  /** Calls that wait for their answers or hold one that nobody took. */
  get pending(): number {
    return this.#open.size + this.#answers.size;
  }

  /** What a deploy wants to know: {@link Program.load}. */
  probe(): readonly string[] {
    return this.#program.load(this);
  }

  step({ now, events }: Activation): readonly Intent[] | Promise<readonly Intent[]> {
    this.#host.meter.beginStep();
    this.#now = now;
    this.#step = Promise.withResolvers();
    const { promise } = this.#step;
    let start: StartEvent | undefined;
    for (const event of events) {
      if (event.type === 'start') start = event;
      else if (event.type === 'answer') this.#receive(event.call, event.answer);
      else this.#verdicts.set(event.change, event.chosen);
    }
    if (start) this.#begin(start);
    else this.#goOn();
    return promise;
  }

  close(): void {
    this.#isClosed = true;
    this.#wait?.end();
    this.#wait = undefined;
    this.#answers.clear();
    this.#host.meter.detach();
  }

  /**
   * Adds an intent that is answered. @returns its call number
   *
   * @throws {GuestFault} as {@link note}
   */
  ask(intent: CallIntent): number {
    this.#calls += 1;
    const call = this.#calls;
    this.note({ ...intent, call });
    this.#open.add(call);
    return call;
  }

  /** Adds an intent that is not answered. @throws {GuestFault} `LIMIT_EXCEEDED` when the step asks for too much */
  note(intent: Intent): void {
    this.#intents.push(intent);
    this.#intentsBytes += intentBytes(intent);
    // A step may be long: what it asks for is bounded while it runs, all else is checked at its end.
    if (this.#intents.length > engineLimits.intentsMax || this.#intentsBytes > engineLimits.intentsBytesMax)
      checkIntents(this.#intents);
  }

  /** The answer of `call` is no longer wanted; one that is here already is forgotten. */
  abandon(call: number): void {
    if (this.#answers.delete(call)) return;
    if (!this.#open.delete(call)) throw notOpen(call);
    this.note({ type: 'abandon', call });
  }

  /**
   * Takes the answer of `call`, or of the call that was answered first when `call` is 0. A promise when it isn't here yet:
   * the host function returns it to `suspending-call.ts`, which suspends the stack.
   *
   * @throws {GuestFault} `GUEST_PROTOCOL` when no such answer can come
   */
  take(call: number): TakenAnswer | Promise<TakenAnswer> {
    const taken = this.#taken(call);
    if (taken) return taken;
    if (call === 0 ? this.#open.size === 0 : !this.#open.has(call)) throw notOpen(call);
    return this.#suspend(() => this.#taken(call));
  }

  /** Whether the guest may run the code that knows `change`; a promise when it asks for the first time. */
  version(change: string): boolean | Promise<boolean> {
    const known = this.#verdicts.get(change);
    if (known !== undefined) return known;
    this.note({ type: 'version', change });
    return this.#suspend(() => this.#verdicts.get(change));
  }

  /**
   * Lets other guests go on, within the step (5).
   *
   * @throws {ProgramEnd} when the guest was closed meanwhile (4)
   */
  async nextTurn(): Promise<void> {
    this.#host.meter.pause();
    await this.#host.wait(Promise.resolve());
    if (this.#isClosed) throw new ProgramEnd([]);
    this.#host.meter.enter();
  }

  /** Runs a start function, or what a host function calls: it can't wait, and computes within one turn (6). */
  undivided<T>(code: () => T): T {
    // A start function may ask for something, and be answered into what its allocator gives.
    if (this.#isUndivided) return code();
    this.#isUndivided = true;
    this.#host.meter.takeTurns(undefined);
    try {
      return code();
    } finally {
      this.#isUndivided = false;
      this.#host.meter.takeTurns(this.#nextTurn);
    }
  }

  /** Ends the step until `look` finds something. */
  #suspend<T>(look: () => T | undefined): Promise<T> {
    if (this.#isClosed) throw new ProgramEnd([]);
    if (this.#isUndivided) throw cannotWait();
    const wake = Promise.withResolvers<T>();
    const goOn = (): boolean => {
      const found = look();
      if (found !== undefined) wake.resolve(found);
      return found !== undefined;
    };
    this.#wait = { goOn, end: () => wake.reject(new ProgramEnd([])) };
    const back = this.#host.wait(wake.promise).then((value) => {
      // Others ran meanwhile.
      this.#host.meter.enter();
      return value;
    });
    this.#endStep();
    return back;
  }

  #begin(start: StartEvent): void {
    this.#program.run(start, this).then(
      (last) => this.#finish(last),
      (error: unknown) => this.#fail(error),
    );
  }

  #receive(call: number, answer: Answer): void {
    if (this.#open.delete(call)) this.#answers.set(call, answer);
  }

  #goOn(): void {
    if (this.#wait?.goOn() === true) this.#wait = undefined;
    else this.#endStep();
  }

  #taken(call: number): TakenAnswer | undefined {
    const [first] = this.#answers;
    const wanted = call === 0 ? first?.[0] : call;
    const answer = wanted === undefined ? undefined : this.#answers.get(wanted);
    if (wanted === undefined || !answer) return undefined;
    this.#answers.delete(wanted);
    return { call: wanted, answer };
  }

  #endStep(): void {
    const step = this.#step;
    const intents = this.#intents;
    this.#step = undefined;
    this.#intents = [];
    this.#intentsBytes = 0;
    try {
      checkIntents(intents);
      step?.resolve(intents);
    } catch (error) {
      step?.reject(error);
    }
  }

  #finish(last: readonly Intent[]): void {
    if (this.#isClosed) return;
    this.#intents.push(...last);
    this.#endStep();
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    if (error instanceof ProgramEnd) return this.#finish(error.intents);
    this.#step?.reject(error instanceof GuestFault ? error : trapFault(error));
  }
}

const cannotWait = (): GuestFault =>
  new GuestFault({
    code: 'GUEST_PROTOCOL',
    message: 'the guest waits where it can not: in a start function, or in an allocator that the host calls',
  });

const notOpen = (call: number): GuestFault =>
  new GuestFault({
    code: 'GUEST_PROTOCOL',
    message:
      call === 0
        ? 'the guest waits for an answer, but has no call that could be answered'
        : `the guest names call ${call}, which it never made, whose answer it has taken, or which it abandoned`,
  });
