/**
 * The engine beside a control plane: lent to its workers (option 2), and served over HTTP (options 3 and 4). One engine with
 * one set of places for both; none at all when both are off.
 */
import type { ControlPlane } from '@mvm-ci/control';
import { engineLimits } from '@mvm-ci/engine';
import type { EngineServer } from '@mvm-ci/flawless';
import { systemClock } from '@mvm-ci/net';
import type { LendEngine, Logger, Tracer } from '@mvm-ci/protocol';
import { lendEngine } from '@mvm-ci/worker';
import { pathFrom, type CommandContext } from '../command-context.ts';
import { LateBlobs } from './late-blobs.ts';
import { performerOf } from './kept-secrets.ts';
import { defaultDataFolder, defaultFlawless } from '../config/setting.ts';
import { systemRandom } from '../system-random.ts';
import { openEngineService, type EngineService } from './engine-service.ts';

interface Opened {
  readonly service: EngineService;
  readonly blobs: LateBlobs;
}

export class EngineBeside {
  readonly #context: CommandContext;
  readonly #logger: Logger;
  readonly #service: EngineService | undefined;
  readonly #blobs: LateBlobs | undefined;
  #server: EngineServer | undefined;

  private constructor(context: CommandContext, logger: Logger, opened: Opened | undefined) {
    this.#context = context;
    this.#logger = logger;
    this.#service = opened?.service;
    this.#blobs = opened?.blobs;
  }

  /** Opens the engine. Its threads start with the first step. */
  static async open(context: CommandContext, logger: Logger, tracer: Tracer | undefined): Promise<EngineBeside> {
    const { config } = context;
    const isUsed = config.engine === 'on' || config.flawless !== 'off';
    if (!isUsed) return new EngineBeside(context, logger, undefined);
    const blobs = new LateBlobs();
    const performer = performerOf(context, blobs);
    const service = await openEngineService({ config, logger, tracer, performer, keepsBlobs: true });
    return new EngineBeside(context, logger, { service, blobs });
  }

  /** What the control plane lends; undefined when that is off. */
  get lend(): LendEngine | undefined {
    if (!this.#service || this.#context.config.engine === 'off') return undefined;
    const { links, replayer } = this.#service;
    return lendEngine({ links, replayer, clock: systemClock, random: systemRandom, logger: this.#logger });
  }

  /** Where its jobs keep their blobs. */
  keepBlobsAt({ blobs }: Pick<ControlPlane, 'blobs'>): void {
    this.#blobs?.bind(blobs);
  }

  /** Base URL of the engine server, null when there is none. */
  get url(): string | null {
    return this.#server?.url ?? null;
  }

  /**
   * Starts the engine server, unless it is off. That its usual port is taken is no error when nobody asked for that port.
   *
   * @throws CONFIG_INVALID
   */
  async serve(): Promise<void> {
    const { config, host } = this.#context;
    if (!this.#service || config.flawless === 'off') return;
    const [context, logger] = [this.#context, this.#logger];
    try {
      // Loaded where it is needed: most of a control plane's memory is code.
      const { openServer } = await import('./flawless.ts');
      const folder = pathFrom(host, config.data ?? defaultDataFolder);
      this.#server = (await openServer({ context, service: this.#service, folder, logger })).server;
    } catch (error) {
      if (config.flawless !== undefined) throw error;
      logger.warn({ err: error, flawless: defaultFlawless }, 'no engine server beside this control plane');
    }
  }

  /** Gives back what runs in the engine, and ends it: before the control plane, which takes it. */
  async stop(): Promise<void> {
    // Runs are handed over at once: their workers run them again as soon as there is an engine.
    const graceMs = engineLimits.handOverMsMax;
    await this.#server?.stop({ graceMs });
    await this.#service?.links.drain({ graceMs });
    await this.#service?.stop();
  }
}
