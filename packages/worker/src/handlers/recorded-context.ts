/**
 * The context of a handler: what it records, and the results that are recorded already.
 *
 *   1. What `run` returns is durable before the handler sees it (I2): a later attempt does not do it again.
 *   2. Nothing is recorded once the signal has fired, whatever the handler's code still does.
 *   3. A handler that wants to be left alone for long is unwound by `LongSleep`, and begins again.
 */
import { limits, mvmError, type Clock, type JournalEntry } from '@mvm-ci/protocol';
import { pause } from '../clock.ts';
import type { OpenedJournal } from '../engine-host.ts';
import type { LateSignal } from '../late-signal.ts';
import { workerLimits } from '../limits.ts';
import { NonRetryableError, type HandlerContext, type RunOptions } from './handler.ts';

/** Unwinds a handler that sleeps for long. */
export class LongSleep extends Error {
  readonly until: number;

  constructor(until: number) {
    super('the handler sleeps: this ends it for now, and must not be caught');
    this.until = until;
  }
}

interface ContextParts {
  readonly journal: OpenedJournal;
  readonly clock: Clock;
  readonly stop: LateSignal;
}

/** See the head of this file. Its methods come bound from getters, made for the handler that asks for them: most ask for none. */
export class RecordedContext implements HandlerContext {
  readonly #parts: ContextParts;
  /** By name; read when it is needed: most handlers record nothing. */
  #results: ReadonlyMap<string, string> | undefined;
  /** How often each name was used. */
  #uses: Map<string, number> | undefined;
  #hasRecorded = false;

  constructor(parts: ContextParts) {
    this.#parts = parts;
  }

  get signal(): AbortSignal {
    return this.#parts.stop.signal;
  }

  get run(): HandlerContext['run'] {
    return (name, work, options) => this.#run(name, work, options);
  }

  get sleep(): HandlerContext['sleep'] {
    return (name, ms) => this.#sleep(name, ms);
  }

  get progress(): HandlerContext['progress'] {
    return (percent, text = '') => this.#progress(percent, text);
  }

  get respond(): HandlerContext['respond'] {
    return (value) => this.#respond(value);
  }

  get log(): HandlerContext['log'] {
    return {
      debug: (text) => this.#log('debug', text),
      info: (text) => this.#log('info', text),
      warn: (text) => this.#log('warn', text),
      error: (text) => this.#log('error', text),
    };
  }

  /** Whether this run has added to the journal. */
  get hasRecorded(): boolean {
    return this.#hasRecorded;
  }

  #recorded(key: string): string | undefined {
    if (this.#results === undefined) {
      const { earlier = [], entries } = this.#parts.journal;
      this.#results = new Map(
        [...earlier, ...entries].flatMap((entry) => (entry.kind === 'ran' ? [[entry.name, entry.result]] : [])),
      );
    }
    return this.#results.get(key);
  }

  // A handler in JavaScript may log and name what is no text: an entry with it could not be read again.
  #log(level: 'debug' | 'info' | 'warn' | 'error', logged: unknown): void {
    this.#note({ kind: 'intents', intents: [{ type: 'log', level, text: logText(logged) }] });
  }

  async #run<T>(name: string, work: (signal: AbortSignal) => T | Promise<T>, options: RunOptions = {}): Promise<T> {
    const key = this.#unique(name);
    const text = this.#recorded(key) ?? (await this.#done(key, () => this.#tried(work, options)));
    // From its text also the first time, so that the handler sees what it would see after a crash.
    // oxlint-disable-next-line typescript/no-unsafe-return -- what the same call made is what its author says that it makes
    return JSON.parse(text);
  }

  /** Does it, and records its result. @returns that, as JSON text */
  async #done(key: string, work: () => Promise<unknown>): Promise<string> {
    this.#parts.stop.signal.throwIfAborted();
    const result = jsonText(await work(), `the result of the run "${key}"`);
    await this.#record(key, result);
    return result;
  }

  async #tried<T>(
    work: (signal: AbortSignal) => T | Promise<T>,
    { retries = 0, backoffMs = workerLimits.runBackoffMs }: RunOptions,
  ): Promise<T> {
    const { clock } = this.#parts;
    const { signal } = this.#parts.stop;
    for (let tries = 0; ; tries += 1) {
      try {
        return await work(signal);
      } catch (error) {
        if (tries >= retries || signal.aborted || error instanceof NonRetryableError) throw error;
        await pause(clock, backoffMs * 2 ** tries, signal);
      }
    }
  }

  async #sleep(name: string, ms: number): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#parts.stop;
    const key = this.#unique(name);
    const known = this.#recorded(key);
    // A whole time that there is: the control plane takes no other.
    const until = Math.min(Math.ceil(Number(known ?? clock.wallMs() + ms)), limits.timeMsMax);
    if (known === undefined) await this.#record(key, JSON.stringify(until));
    const left = until - clock.wallMs();
    if (left > workerLimits.handlerSleepMsMax) throw new LongSleep(until);
    if (left > 0) await pause(clock, left, signal);
    signal.throwIfAborted();
  }

  #progress(percent: number, text: string): void {
    const known = Math.min(100, Math.max(0, percent));
    // 0 of 0 is no number, and the control plane takes none such.
    const progress = { percent: Number.isNaN(known) ? 0 : known, text: text.slice(0, limits.textCharsMax) };
    this.#note({ kind: 'intents', intents: [{ type: 'progress', ...progress }] }, { progress });
  }

  #respond(value: unknown): void {
    const text = jsonText(value, 'the response');
    this.#note(
      { kind: 'intents', intents: [{ type: 'respond', value: text }] },
      { internal: [{ type: 'respond', value: text }] },
    );
  }

  #unique(name: unknown): string {
    if (typeof name !== 'string') throw mvmError('INVALID_ARGUMENT', `the name of a run is text, not a ${typeof name}`);
    if (name === '' || name.length > limits.idCharsMax)
      throw mvmError(
        'INVALID_ARGUMENT',
        `the name of a run has from 1 to ${limits.idCharsMax} characters, not ${name.length}`,
      );
    this.#uses ??= new Map();
    const uses = (this.#uses.get(name) ?? 0) + 1;
    this.#uses.set(name, uses);
    return uses === 1 ? name : `${name}#${uses}`;
  }

  async #record(name: string, result: string): Promise<void> {
    const { journal, clock } = this.#parts;
    const { signal } = this.#parts.stop;
    signal.throwIfAborted();
    this.#hasRecorded = true;
    await journal.sink.append([{ kind: 'ran', at: clock.wallMs(), name, result }]);
    signal.throwIfAborted();
  }

  /** Nobody waits for it: what ends the lease is heard of elsewhere. */
  #note(entry: JournalEntry, extras: Parameters<OpenedJournal['sink']['append']>[1] = {}): void {
    const { journal, stop } = this.#parts;
    if (stop.aborted) return;
    this.#hasRecorded = true;
    journal.sink.append([entry], extras).catch(() => undefined);
  }
}

const logText = (logged: unknown): string => {
  if (typeof logged === 'string') return logged;
  return logged instanceof Error ? `${logged.name}: ${logged.message}` : jsonText(logged, 'what the handler logs');
};

/** @throws INVALID_ARGUMENT for what is no JSON, PAYLOAD_TOO_LARGE for what is too long */
export const jsonText = (value: unknown, what: string): string => {
  let text: string | undefined;
  try {
    text = JSON.stringify(value ?? null);
  } catch (error) {
    throw mvmError('INVALID_ARGUMENT', `${what} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text === undefined) throw mvmError('INVALID_ARGUMENT', `${what} is no JSON: it is a ${typeof value}`);
  const bytes = Buffer.byteLength(text);
  if (bytes <= limits.resultBytesMax) return text;
  throw mvmError('PAYLOAD_TOO_LARGE', `${what} has at most ${limits.resultBytesMax} bytes as JSON, not ${bytes}`, {
    rule: limits.resultBytesMax,
    received: bytes,
  });
};
