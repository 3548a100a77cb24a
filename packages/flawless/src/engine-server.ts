/**
 * An engine server: an HTTP listener whose links carry runs to an engine. Owns the listener and the open links; the engine,
 * and the runs in it, belong to whoever gave them.
 *
 * 1. It keeps nothing of others' jobs: their journals and modules come over the link, and go with it. Its own jobs, if it
 *    is given some, are kept by whoever gave them.
 * 2. From the first moment of a stop it is not ready and takes no run; the runs that it has get the grace time, and those
 *    that are left are given back.
 * 3. Beyond loopback nobody gets in without the token.
 */
import type { LinkServer } from '@mvm-ci/engine';
import type { EffectCounts, EngineCounts } from '@mvm-ci/metrics';
import {
  isLoopback,
  listenHttp,
  openFrameChannel,
  operatorGate,
  type ByteDuplex,
  type Clock,
  type FrameChannel,
  type HttpListener,
} from '@mvm-ci/net';
import { linkVersion, mvmError, type EngineStatus, type Logger, type MvmError } from '@mvm-ci/protocol';
import { engineMetrics } from './engine-metrics.ts';
import { flawlessLimits } from './limits.ts';
import type { OwnJobs } from './own-jobs.ts';
import { engineApi } from './routes.ts';

/** Where runs come to. Its `drain` takes no more, and lets those under way end. */
export type EngineLinks = Pick<LinkServer, 'runs' | 'runsMax' | 'features' | 'accept' | 'drain'>;

/** How an engine server is started. */
export interface EngineServerOptions {
  readonly http: {
    readonly host: string;
    /** 0: a free one. */
    readonly port: number;
  };
  /** The bearer token that is demanded. Must be given on any other address than loopback. */
  readonly token?: string | undefined;
  /** Whoever made it stops it, after the server. */
  readonly links: EngineLinks;
  /** Jobs of its own. Whoever made them stops them, after the server. @default none: it runs those of others alone */
  readonly jobs?: OwnJobs | undefined;
  /** What became of effects, for the metrics. @default nobody counts them */
  readonly effects?: (() => EffectCounts) | undefined;
  /** How the engine behind the links does, for the metrics. @default nobody says */
  readonly engine?: (() => EngineCounts) | undefined;
  /** The release that it tells, such as `0.1.0`. */
  readonly version: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** A running engine server. */
export interface EngineServer extends AsyncDisposable {
  /** Base URL, such as `http://127.0.0.1:27288`. */
  readonly url: string;
  /**
   * Drains and ends: see rule 2. Idempotent.
   *
   * @param options.graceMs what runs under way get; @default flawlessLimits.graceMs
   */
  stop(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

/**
 * Starts an engine server.
 *
 * @throws CONFIG_INVALID when the address can't be bound, or isn't loopback and there is no token
 * @example await using server = await startEngineServer({ http: { host: '127.0.0.1', port: 27288 }, links, version, logger, clock });
 */
export const startEngineServer = async (options: EngineServerOptions): Promise<EngineServer> => {
  const { http, token, logger } = options;
  if (token === '') throw mvmError('CONFIG_INVALID', 'the engine server’s token is empty');
  if (token === undefined && !isLoopback(http.host))
    throw mvmError('CONFIG_INVALID', `an engine server on ${http.host}, which is not loopback, needs a token`);
  const server = new RunningServer(options);
  await server.listen();
  logger.info({ http: server.url, runsMax: options.links.runsMax }, 'the engine server is up');
  return server;
};

class RunningServer implements EngineServer {
  readonly #options: EngineServerOptions;
  readonly #channels = new Set<FrameChannel>();
  #listener: HttpListener | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: EngineServerOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#listener?.url ?? '';
  }

  async listen(): Promise<void> {
    const { http, token, links, jobs, logger, clock } = this.#options;
    const fetch = engineApi({
      gate: operatorGate({ host: http.host, token: token ?? null, tokenName: 'the engine server’s token' }),
      status: () => this.#status(),
      features: links.features,
      linkObstacle: () => this.#linkObstacle(),
      jobs,
      metrics: engineMetrics({
        status: () => this.#status(),
        links: () => this.#channels.size,
        effects: this.#options.effects,
        engine: this.#options.engine,
        jobs,
      }),
      logger,
    });
    this.#listener = await listenHttp({ ...http, fetch, links: { opened: (duplex) => this.#serve(duplex), clock } });
  }

  stop({ graceMs = flawlessLimits.graceMs }: { readonly graceMs?: number | undefined } = {}): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop({ graceMs: 0 });
  }

  #status(): EngineStatus {
    const { links, version } = this.#options;
    const reasons = this.#stopping ? ['it is going away: runs under way are finished, and no others are taken'] : [];
    const { runs, runsMax } = links;
    return { ready: reasons.length === 0, reasons, runs, runsMax, version, link: linkVersion };
  }

  #linkObstacle(): MvmError | undefined {
    if (this.#stopping)
      return mvmError('UNAVAILABLE', 'this engine server is going away: it takes no more links', { draining: true });
    if (this.#channels.size < flawlessLimits.linksMax) return undefined;
    return mvmError('UNAVAILABLE', `this engine server has ${flawlessLimits.linksMax} links, which is the limit`);
  }

  #serve(duplex: ByteDuplex): void {
    const { links, clock, logger } = this.#options;
    const channel = openFrameChannel({ duplex, side: 'server', clock, accept: links.accept() });
    this.#channels.add(channel);
    logger.debug({ links: this.#channels.size }, 'a link was opened');
    void this.#forget(channel);
  }

  async #forget(channel: FrameChannel): Promise<void> {
    const error = await channel.closed;
    this.#channels.delete(channel);
    this.#options.logger.debug({ links: this.#channels.size, ...(error && { err: error }) }, 'a link is over');
  }

  async #stop(graceMs: number): Promise<void> {
    const { links, jobs, logger } = this.#options;
    logger.info({ runs: links.runs, graceMs }, 'the engine server is draining');
    await Promise.all([links.drain({ graceMs }), jobs?.drain({ graceMs })]);
    await this.#endLinks();
    await this.#listener?.stop(flawlessLimits.drainMs);
    logger.info({}, 'the engine server has stopped');
  }

  async #endLinks(): Promise<void> {
    const channels = [...this.#channels];
    for (const channel of channels) channel.end();
    const timer = this.#options.clock.after(flawlessLimits.linkEndMs, () => {
      for (const channel of channels) channel.close();
    });
    await Promise.all(channels.map((channel) => channel.closed));
    timer.cancel();
  }
}
