/**
 * A Flawless-compatible server as the engine, without the engine link: only its HTTP routes. It runs the modules that such a
 * server takes, and gives fewer guarantees than every other place for an engine ({@link missingGuarantees});
 * `docs/reference/flawless.md` explains them.
 *
 *   1. A module is deployed before its first start here, and again after the server refused a start.
 *   2. While the server can't be used there is an obstacle, and the server is asked for its version until it answers.
 */
import {
  asMvmError,
  decodeModule,
  mvmError,
  type ClaimedJob,
  type Clock,
  type Logger,
  type MvmError,
} from '@mvm-ci/protocol';
import { Backoff } from '../backoff.ts';
import { pause } from '../clock.ts';
import type { EngineHost, HostPorts, HostRun } from '../engine-host.ts';
import { foreignLimits, workerLimits } from '../limits.ts';
import type { ModuleSource } from '../module-source.ts';
import type { Random } from '../random.ts';
import {
  deployRequest,
  readDeployed,
  readVersion,
  versionRequest,
  type Deployed,
  type ForeignServer,
} from './foreign/flawless-api.ts';
import { ForeignRun } from './foreign/foreign-run.ts';
import type { HttpAnswer, HttpRequest, SendHttp } from './foreign/http.ts';

/** What jobs at such a server don't have, in words for a log. */
export const missingGuarantees: readonly string[] = [
  'the journal stays at that server: the control plane sees only the start and the end',
  'no other machine goes on with a job: if this worker or the server is lost, the job fails with OUTCOME_UNKNOWN',
  'no replay check by mvm-ci',
  'a workflow is started at most once per attempt, so it may not have run to its end',
  'a started job can be neither cancelled nor given back',
];

export interface IdentifyOptions extends ForeignServer {
  readonly http: SendHttp;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly signal: AbortSignal;
}

/** What kind of engine server answers. */
export interface EngineServerIdentity {
  /** `link`: ours, to be reached by the engine link. `foreign`: only the routes of a Flawless server. */
  readonly type: 'link' | 'foreign';
  readonly version: string;
}

/**
 * Asks a server what it is (`GET /version`).
 *
 * @throws CONNECTION_LOST or DEADLINE_EXCEEDED when it can't be reached, UNAUTHENTICATED when it wants another token,
 *   CONFIG_INVALID when what answers is no engine server
 */
export const identifyEngineServer = async (options: IdentifyOptions): Promise<EngineServerIdentity> => {
  const answer = await sendWithin(options, versionRequest(options), foreignLimits.versionMs);
  const reply = readVersion(answer);
  if (reply.type === 'ok') return { type: reply.value.hasLink ? 'link' : 'foreign', version: reply.value.version };
  if (reply.type === 'unauthenticated') throw wrongToken(options, reply.message);
  throw mvmError('CONFIG_INVALID', `${options.url} is no engine server: ${reply.message}`, { url: options.url });
};

export interface ForeignHostOptions extends ForeignServer {
  readonly version: string;
  readonly modules: ModuleSource;
  readonly http: SendHttp;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** An {@link EngineHost} for a server that has only the routes of Flawless. */
export class ForeignHost implements EngineHost {
  readonly #options: ForeignHostOptions;
  readonly #stopped = new AbortController();
  readonly #runs = new Set<ForeignRun>();
  readonly #deployed = new Map<string, Promise<Deployed>>();
  #obstacle: MvmError | undefined;

  /** Says which guarantees are missing. */
  constructor(options: ForeignHostOptions) {
    this.#options = options;
    const { url, version, logger } = options;
    logger.warn(
      { url, version, missing: missingGuarantees },
      `the engine server at ${url} (${version}) has no engine link; jobs there have fewer guarantees: ${missingGuarantees.join('; ')}`,
    );
  }

  get obstacle(): MvmError | undefined {
    return this.#obstacle;
  }

  run(job: ClaimedJob, ports: HostPorts): HostRun {
    const { http, clock, logger } = this.#options;
    const run = new ForeignRun(job, ports, {
      server: this.#options,
      http,
      deploy: (module, signal) => this.#deploy(module, signal),
      onRefused: (module) => this.#deployed.delete(module),
      untilBack: (error, signal) => this.#whenBack(error, signal),
      clock,
      logger,
    });
    this.#runs.add(run);
    const over = (): boolean => this.#runs.delete(run);
    run.ended.then(over, over);
    return run;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    const ended = [...this.#runs].map((run) => (run.drop(), run.ended));
    await Promise.allSettled(ended);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Rule 1. One deployment serves all runs that need it; a run that gives up leaves it to the others. */
  async #deploy(hash: string, signal: AbortSignal): Promise<Deployed> {
    const deployment = this.#deployed.get(hash) ?? this.#startDeployment(hash);
    const { promise, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(mvmError('CANCELLED', `module ${hash} is no longer needed`));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    try {
      return await Promise.race([deployment, promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #startDeployment(hash: string): Promise<Deployed> {
    const deployment = this.#upload(hash);
    this.#deployed.set(hash, deployment);
    deployment.catch((error: unknown) => {
      this.#deployed.delete(hash);
      const { code } = asMvmError(error);
      if (code === 'CONNECTION_LOST' || code === 'UNAUTHENTICATED') this.#meet(asMvmError(error));
    });
    return deployment;
  }

  async #upload(hash: string): Promise<Deployed> {
    const { signal } = this.#stopped;
    const { kind, code } = decodeModule(await this.#options.modules(hash, { signal }));
    if (kind === 'javascript')
      throw mvmError(
        'MODULE_INVALID',
        `the engine server at ${this.#options.url} has no engine link and takes WebAssembly modules only; this module is a "${kind}" bundle, which needs an engine of mvm-ci`,
        { kind, url: this.#options.url },
      );
    const request = deployRequest(this.#options, code);
    const reply = readDeployed(await sendWithin({ ...this.#options, signal }, request, foreignLimits.deployMs));
    switch (reply.type) {
      case 'ok':
        this.#options.logger.info({ hash, ...reply.value }, 'module deployed at the engine server');
        return reply.value;
      case 'refused':
        throw mvmError('MODULE_INVALID', `the engine server refused the module: ${reply.message}`, { hash });
      case 'unauthenticated':
        throw wrongToken(this.#options, reply.message);
      case 'unclear':
        throw mvmError('UNAVAILABLE', `the deployment of a module was answered with ${reply.message}`, { hash });
    }
  }

  /** Rule 2. */
  #meet(error: MvmError): void {
    if (this.#obstacle || this.#stopped.signal.aborted) return;
    this.#obstacle = error;
    this.#options.logger.warn({ err: error }, `no job is claimed: ${error.code}: ${error.message}`);
    void this.#ask();
  }

  async #whenBack(error: MvmError, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + workerLimits.engineAbsenceMsMax;
    this.#meet(error);
    while (this.#obstacle && !signal.aborted && clock.monotonicMs() < untilMs)
      await pause(clock, workerLimits.obstacleCheckMs, signal);
    return this.#obstacle === undefined;
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stopped;
    const backoff = new Backoff(this.#options.clock, this.#options.random);
    while (this.#obstacle && !signal.aborted) {
      await backoff.wait(signal);
      try {
        await identifyEngineServer({ ...this.#options, signal });
        this.#obstacle = undefined;
        this.#options.logger.info({ url: this.#options.url }, 'the engine server answers again');
      } catch (error) {
        this.#obstacle = asMvmError(error);
      }
    }
  }
}

const wrongToken = ({ url }: ForeignServer, answer: string): MvmError =>
  mvmError('UNAUTHENTICATED', `the engine server at ${url} refuses the token (FLAWLESS_TOKEN): ${answer}`, { url });

const sendWithin = async (
  { http, clock, signal }: Pick<IdentifyOptions, 'http' | 'clock' | 'signal'>,
  request: HttpRequest,
  ms: number,
): Promise<HttpAnswer> => {
  const over = new AbortController();
  const ended = AbortSignal.any([over.signal, signal]);
  const late = pause(clock, ms, ended).then((): never => {
    throw mvmError('DEADLINE_EXCEEDED', `${request.method} ${request.url} had no answer within ${ms} ms`);
  });
  // When the answer is there first, nobody waits for this one.
  late.catch(() => undefined);
  try {
    return await Promise.race([http(request, { signal: ended }), late]);
  } finally {
    over.abort();
  }
};
