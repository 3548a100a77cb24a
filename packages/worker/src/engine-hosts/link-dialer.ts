/**
 * A connection to an engine that is made again when it is lost. Owns the current connection and the loop that makes the
 * next one.
 *
 *   1. `start` connects; from then on a lost connection is replaced until `stop`. One attempt is under way at a time.
 *   2. While there is no connection there is an obstacle, which is said now and then; a wrong setting (not an engine, a
 *      wrong token) is said as an error, and tried again as well: somebody may mend it.
 */
import { asMvmError, mvmError, RetryLaterError, type MvmError, type OpenConversation } from '@mvm-ci/protocol';
import { Backoff } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { workerLimits } from '../limits.ts';
import type { LogFields, Logger } from '../logger.ts';
import type { Random } from '../random.ts';

/** A channel to an engine; a `FrameChannel` of `@mvm-ci/net` is one. */
export interface LinkConnection {
  readonly open: OpenConversation;
  /** What the engine lists that it can do without a run. @default nothing */
  readonly features?: readonly string[] | undefined;
  /** Settles when it is over, however; never rejects. */
  readonly closed: Promise<MvmError | undefined>;
  close(error?: MvmError): void | Promise<void>;
}

/** Makes a channel to the engine. @throws why that didn't work */
type ConnectLink = (signal: AbortSignal) => Promise<LinkConnection>;

export interface LinkDialerOptions {
  readonly connect: ConnectLink;
  /** What is connected to, for people: a URL. */
  readonly engine: string;
  /** Somebody else tells people whether the engine can be used: all lines are for debugging. @default false */
  readonly isQuiet?: boolean | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type State =
  | { readonly type: 'connecting'; readonly done: Promise<LinkConnection> }
  | { readonly type: 'connected'; readonly connection: LinkConnection }
  | { readonly type: 'failed'; readonly error: MvmError };

export class LinkDialer {
  readonly #options: LinkDialerOptions;
  readonly #stop = new AbortController();
  #state: State;
  #loop: Promise<void> | undefined;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LinkDialerOptions) {
    this.#options = options;
    this.#state = { type: 'failed', error: mvmError('UNAVAILABLE', `no connection to ${options.engine} was made yet`) };
  }

  /** Why there is no connection. */
  get obstacle(): MvmError | undefined {
    switch (this.#state.type) {
      case 'connected':
        return undefined;
      case 'connecting':
        return mvmError('UNAVAILABLE', `connecting to ${this.#options.engine}`);
      case 'failed':
        return this.#state.error;
    }
  }

  /** What the engine that is connected lists. */
  get features(): readonly string[] {
    return this.#state.type === 'connected' ? (this.#state.connection.features ?? []) : [];
  }

  /** Begins to connect. Idempotent. */
  start(): void {
    this.#loop ??= this.#stayConnected();
  }

  /** The connection; waits for an attempt that is under way. @throws why there is none */
  async connection(): Promise<LinkConnection> {
    this.start();
    const state = this.#state;
    if (state.type === 'failed') throw state.error;
    return state.type === 'connected' ? state.connection : state.done;
  }

  /** Closes the connection and makes no other. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#state.type === 'connected') await this.#state.connection.close();
    await this.#loop;
  }

  async #stayConnected(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stop;
    const backoff = new Backoff(clock, random);
    while (!signal.aborted) {
      const connection = await this.#connect();
      if (connection) {
        const sinceMs = clock.monotonicMs();
        await this.#use(connection);
        if (clock.monotonicMs() - sinceMs >= workerLimits.engineSteadyMs) backoff.reset();
      }
      await backoff.wait(signal);
    }
    this.#fail(mvmError('CONNECTION_LOST', 'the worker is over'));
  }

  async #connect(): Promise<LinkConnection | undefined> {
    const { connect } = this.#options;
    const done = connect(this.#stop.signal);
    this.#state = { type: 'connecting', done };
    try {
      return await done;
    } catch (thrown) {
      const error = asMvmError(thrown);
      this.#fail(error);
      this.#say(error);
      return undefined;
    }
  }

  /** Resolves when the connection is over. */
  async #use(connection: LinkConnection): Promise<void> {
    const { engine } = this.#options;
    this.#state = { type: 'connected', connection };
    if (this.#stop.signal.aborted) await connection.close();
    else this.#log('info', { engine }, 'connected to the engine');
    const error = (await connection.closed) ?? mvmError('CONNECTION_LOST', `the connection to ${engine} was closed`);
    this.#fail(error);
    if (!this.#stop.signal.aborted) this.#log('warn', { engine, err: error }, 'the connection to the engine is lost');
  }

  #fail(error: MvmError): void {
    this.#state = { type: 'failed', error };
  }

  #say(error: MvmError): void {
    const { engine, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#stop.signal.aborted || nowMs - this.#loggedAtMs < workerLimits.unreachableLogMs) return;
    this.#loggedAtMs = nowMs;
    const fields = { engine, err: error };
    if (error instanceof RetryLaterError) this.#log('warn', fields, 'the engine is not reachable: trying again');
    else this.#log('error', fields, 'the engine can not be used: mend the setting; trying again all the same');
  }

  #log(level: 'info' | 'warn' | 'error', fields: LogFields, text: string): void {
    const { logger, isQuiet = false } = this.#options;
    logger[isQuiet ? 'debug' : level](fields, text);
  }
}
