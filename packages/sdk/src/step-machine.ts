/**
 * The guest's half of a step machine: workflows in, activations in, intents out. It is pure: the time and the seed are
 * in the activation (I9), and nothing happens but what the workflow's own code does with the answers.
 *
 * It owns: the numbers of the calls, the calls that wait, the intents of the current step, the activation's time.
 * It does not own: what an effect means (host), the globals (`prelude/`), the queue of promise jobs (the runtime).
 *
 * 1. Calls are numbered from 1 in the order in which they were opened, without a gap.
 * 2. A call settles at most once: answered or abandoned; an answer for any other number is ignored.
 * 3. `complete` or `fail` is the last intent there ever is. What the workflow's leftovers ask for after it is dropped.
 * 4. Within one step the time stands still.
 * 5. Whether a change is known is asked once in an attempt, and answered within the step that asks.
 * 6. An intent holds what its values were at the call: what the author changes in them later in the step is not sent.
 */
import {
  parseActivation,
  type ActivationEvent,
  type AnswerEvent,
  type StartEvent,
  type VersionEvent,
} from './activation.ts';
import { checkEffect } from './effect-rules.ts';
import { failIntent, resultText } from './failure.ts';
import { toBase64 } from './prelude/base64.ts';
import type { Effect, FetchEffect, Intent, Note } from './intent.ts';
import { jsonText } from './json-text.ts';
import { QueryDesk } from './query-desk.ts';
import { UnhandledRejections } from './unhandled-rejections.ts';

/** A workflow's entry point. */
export type Workflow = (input: unknown) => unknown;

/** Called once when the call is answered. */
export type Settle = (answer: AnswerEvent) => void;

/** What the guest knows about its own run. */
export interface JobFacts {
  readonly id: string;
  /** From 1; the next one starts after an error that ended this one. */
  readonly attempt: number;
}

/** Told when the attempt begins, before the workflow's first line runs. */
export type StartListener = (start: StartEvent, now: number) => void;

/** See the top of this file. */
export class StepMachine {
  /** What others may ask between two steps. */
  readonly queries: QueryDesk = new QueryDesk();
  /** What the host tells of: a line of the log each, when the step ends. */
  readonly rejections: UnhandledRejections = new UnhandledRejections();
  readonly #workflows = new Map<string, Workflow>();
  readonly #waiting = new Map<number, Settle>();
  readonly #startListeners: StartListener[] = [];
  readonly #versions = new Map<
    string,
    { readonly chosen: Promise<boolean>; readonly settle: (chosen: boolean) => void }
  >();
  /** JSON text of each intent of this step (6). */
  #intents: string[] = [];
  /** The bytes that this step's intents speak of by number, until the host takes them. */
  #bytes: (ArrayBuffer | undefined)[] = [];
  #givesBytes = false;
  #lastCall = 0;
  #now = 0;
  #job: JobFacts | undefined;
  /** JSON text of the last intent, once the workflow has ended. */
  #ending: string | undefined;
  #isEnded = false;

  /** Unix time in ms of the running activation; 0 while the module is being loaded. */
  get now(): number {
    return this.#now;
  }

  /** The running job; undefined while the module is being loaded. */
  get job(): JobFacts | undefined {
    return this.#job;
  }

  /** Adds an entry point; the first one is the default. */
  define(name: string, workflow: Workflow): void {
    this.#workflows.set(name, workflow);
  }

  /** Calls `listener` when the attempt begins. */
  onStart(listener: StartListener): void {
    this.#startListeners.push(listener);
  }

  /** JSON array of the entry points' names, the default one first: `mvm_workflows`. */
  workflows(): string {
    return JSON.stringify([...this.#workflows.keys()]);
  }

  /** Takes an activation as JSON text and the bytes in it: `mvm_step`. The promise jobs that it starts are the host's to run. */
  step(text: string, buffers: readonly ArrayBuffer[] = []): void {
    const activation = parseActivation(text, buffers);
    this.#now = activation.now;
    this.#bytes = [];
    this.#givesBytes = activation.v === 2;
    for (const event of activation.events) this.#take(event);
  }

  /** The intents of this step as JSON text: `mvm_flush`. */
  flush(): string {
    const unhandled = this.rejections.take();
    if (!this.#isEnded || this.#ending !== undefined)
      for (const text of unhandled) this.#intents.push(textOf({ type: 'log', level: 'warn', text }));
    const texts = this.#intents;
    this.#intents = [];
    if (this.#ending !== undefined) texts.push(this.#ending);
    this.#ending = undefined;
    return `[${texts.join(',')}]`;
  }

  /** The bytes of this step under this number, once: `mvm_bytes`. */
  takeBytes(number: number): ArrayBuffer | undefined {
    const bytes = this.#bytes[number];
    this.#bytes[number] = undefined;
    return bytes;
  }

  /**
   * Asks the host to perform `effect`; `settle` hears its answer.
   *
   * @returns the call's number, for {@link StepMachine.abandon}.
   * @throws {TypeError} while the module is being loaded: there is no job yet.
   * @throws {TypeError} when JSON can't hold what the effect has; it isn't numbered then.
   * @throws what {@link checkEffect} finds wrong; it isn't numbered then either.
   */
  open(effect: Effect, settle: Settle): number {
    if (!this.#job) {
      throw new TypeError(`${effect.type} was called while the module was loaded: call it inside a workflow`);
    }
    if (this.queries.isAsked) throw this.queries.forbid(effect.type);
    if (this.#isEnded) return 0;
    const text = this.#effectText(effect);
    checkEffect(effect, text);
    this.#lastCall += 1;
    this.#waiting.set(this.#lastCall, settle);
    this.#intents.push(`${text.slice(0, -1)},"call":${this.#lastCall}}`);
    return this.#lastCall;
  }

  /** Gives up on a call: its answer will not come. Nothing happens if it has settled already. */
  abandon(call: number): void {
    if (this.queries.isAsked) throw this.queries.forbid('the end of a call');
    if (this.#waiting.delete(call) && !this.#isEnded) this.#intents.push(textOf({ type: 'abandon', call }));
  }

  /**
   * Records an intent that has no answer.
   *
   * @throws {TypeError} when JSON can't hold it.
   * @throws what {@link checkEffect} finds wrong.
   */
  note(intent: Note): void {
    if (this.queries.isAsked) {
      if (intent.type === 'log') return;
      throw this.queries.forbid(intent.type);
    }
    if (this.#isEnded) return;
    const text = textOf(intent);
    checkEffect(intent, text);
    this.#intents.push(text);
  }

  /** The number that the next call gets. */
  get nextCall(): number {
    return this.#lastCall + 1;
  }

  /** Whether code that knows `change` may run (5). */
  version(change: string): Promise<boolean> {
    const known = this.#versions.get(change);
    if (known) return known.chosen;
    const { promise: chosen, resolve: settle } = Promise.withResolvers<boolean>();
    this.note({ type: 'version', change });
    this.#versions.set(change, { chosen, settle });
    return chosen;
  }

  #effectText(effect: Effect): string {
    if (effect.type !== 'fetch' || !effect.body || !('bytes' in effect.body)) return textOf(effect);
    return textOf({ ...effect, body: this.#sentBody(effect.body.bytes) });
  }

  #sentBody(bytes: Uint8Array<ArrayBuffer>): SentBody {
    return this.#givesBytes ? { bytes: this.#bytes.push(bytes.buffer) - 1 } : { base64: toBase64(bytes) };
  }

  #take(event: ActivationEvent): void {
    switch (event.type) {
      case 'start':
        this.#start(event);
        break;
      case 'answer':
        this.#answer(event);
        break;
      case 'version':
        this.#settleVersion(event);
        break;
    }
  }

  #start(event: StartEvent): void {
    this.#job = { id: event.job, attempt: event.attempt };
    for (const listener of this.#startListeners) listener(event, this.#now);
    void this.#run(event);
  }

  #answer(event: AnswerEvent): void {
    const settle = this.#waiting.get(event.call);
    this.#waiting.delete(event.call);
    settle?.(event);
  }

  #settleVersion({ change, chosen }: VersionEvent): void {
    this.#versions.get(change)?.settle(chosen);
  }

  async #run({ workflow, input }: StartEvent): Promise<void> {
    try {
      const entry = this.#workflows.get(workflow);
      if (!entry) throw new TypeError(`no workflow "${workflow}" in this module: it has ${this.workflows()}`);
      this.#end(`{"type":"complete","result":${resultText(await entry(input))}}`);
    } catch (error) {
      this.#end(JSON.stringify(failIntent(error)));
    }
  }

  #end(ending: string): void {
    this.#ending = ending;
    this.#isEnded = true;
    this.#waiting.clear();
  }
}

/** A body of bytes as it stands in an intent. */
type SentBody = { readonly bytes: number } | { readonly base64: string };

type SentEffect = Effect | (Omit<FetchEffect, 'body'> & { readonly body: SentBody });

/** The JSON text of an intent, which is an object and so never undefined. */
const textOf = (intent: SentEffect | Intent): string => jsonText(intent, `what ${intent.type} is given`) ?? '{}';
