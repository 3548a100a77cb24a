/**
 * Option 4: one engine server. What kind of server it is shows when it answers, and it may not be there yet: until then there is
 * an obstacle, and it is asked again and again. Then its host is opened, and everything goes there.
 *
 *   1. It is asked until it has answered once. A server of another kind at the same URL later needs a new worker.
 *   2. What goes wrong is said when it is something else than before.
 */
import type { Replayer } from '@mvm-ci/engine';
import { asMvmError, mvmError, type ClaimedJob, type Logger, type MvmError, type Random } from '@mvm-ci/protocol';
import { Backoff } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { EngineHost, HostPorts, HostRun } from '../engine-host.ts';
import type { EngineServerIdentity } from './foreign.ts';

export interface SingleServerOptions {
  readonly url: string;
  /** Asks the server what it is. @throws why it can't be told */
  readonly identify: (signal: AbortSignal) => Promise<EngineServerIdentity>;
  /** Makes the host for it, which is stopped with this one. */
  readonly open: (identity: EngineServerIdentity) => EngineHost;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** An {@link EngineHost} that finds out first what it deals with. */
export class SingleServer implements EngineHost {
  readonly #options: SingleServerOptions;
  readonly #stopped = new AbortController();
  #host: EngineHost | undefined;
  #error: MvmError;

  /** Begins to ask at once. */
  constructor(options: SingleServerOptions) {
    this.#options = options;
    this.#error = mvmError('UNAVAILABLE', `the engine server at ${options.url} has not answered yet`);
    void this.#identify();
  }

  get obstacle(): MvmError | undefined {
    return this.#host ? this.#host.obstacle : this.#error;
  }

  get replayer(): Replayer | undefined {
    return this.#host?.replayer;
  }

  run(job: ClaimedJob, ports: HostPorts): HostRun {
    return this.#host ? this.#host.run(job, ports) : interruptedRun(this.#error);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#host?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #identify(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    const backoff = new Backoff(clock, random);
    while (!this.#host && !signal.aborted) {
      await this.#ask();
      if (!this.#host) await backoff.wait(signal);
    }
  }

  async #ask(): Promise<void> {
    const { url, identify, open, logger } = this.#options;
    const { signal } = this.#stopped;
    try {
      const identity = await identify(signal);
      if (signal.aborted) return;
      logger.info({ url, ...identity }, `the engine server at ${url} answers`);
      this.#host = open(identity);
    } catch (thrown) {
      if (!signal.aborted) this.#say(asMvmError(thrown));
    }
  }

  #say(error: MvmError): void {
    const isNew = error.message !== this.#error.message;
    this.#error = error;
    if (isNew) this.#options.logger.warn({ err: error }, `no job is claimed: ${error.code}: ${error.message}`);
  }
}

const interruptedRun = (obstacle: MvmError): HostRun => ({
  ended: Promise.resolve({ type: 'interrupted', error: obstacle }),
  cancel: () => undefined,
  release: () => undefined,
  drop: () => undefined,
});
