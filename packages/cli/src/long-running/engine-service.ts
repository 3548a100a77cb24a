/**
 * One engine, and its places for runs, for all in this process who let others run jobs here: an engine server, and a control
 * plane that lends its engine. Owns the engine.
 */
import {
  LinkServer,
  ModuleDesk,
  openEngine,
  type EffectPerformer,
  type Engine,
  type Measured,
  type ModuleSource,
  type Replayer,
  engineLimits,
} from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import type { Logger, Tracer } from '@mvm-ci/protocol';
import type { Config } from '../config/setting.ts';
import { cliLimits } from '../limits.ts';
import { systemRandom } from '../system-random.ts';

/** Gives a module's file by its hash. @throws MODULE_NOT_FOUND */
type AskModule = (hash: string) => Promise<Uint8Array>;

/** An open engine service. */
export interface EngineService {
  /** For runs of this process's own. */
  readonly engine: Pick<Engine & Measured, 'run' | 'stats'>;
  readonly links: LinkServer;
  /** Replays of the engine, with modules from `module`. */
  readonly replayer: (module: AskModule) => Replayer;
  /** Drops what is left and ends the engine. */
  stop(): Promise<void>;
}

interface EngineServiceOptions {
  readonly config: Pick<Config, 'threads' | 'maxRuns'>;
  readonly logger: Logger;
  /** @default no spans are made */
  readonly tracer?: Tracer | undefined;
  /** Modules that are here already; undefined for those that are not. @default none */
  readonly ownModules?: ((hash: string) => Promise<Uint8Array | undefined>) | undefined;
  /** See `LinkServerOptions`. @default false */
  readonly keepsBlobs?: boolean | undefined;
  /** @default systemFetch */
  readonly performer?: EffectPerformer | undefined;
  /** See `EngineOptions`. @default cliLimits.suspendAfterMs */
  readonly suspendAfterMs?: number | undefined;
}

/** Opens an engine that gets its modules from whoever asks for a run. */
export const openEngineService = async ({
  config,
  logger,
  tracer,
  ownModules,
  performer,
  keepsBlobs,
  suspendAfterMs = cliLimits.suspendAfterMs,
}: EngineServiceOptions): Promise<EngineService> => {
  const desk = new ModuleDesk();
  const modules: ModuleSource = async (hash, options) => (await ownModules?.(hash)) ?? desk.source(hash, options);
  const engine = await openEngine({
    modules,
    threads: config.threads,
    clock: systemClock,
    random: systemRandom,
    logger,
    tracer,
    performer,
    suspendAfterMs,
  });
  const links = new LinkServer({
    engine,
    runsMax: config.maxRuns ?? engineLimits.servedRunsDefault,
    modules: desk,
    keepsBlobs,
    clock: systemClock,
  });
  return {
    engine,
    links,
    replayer: (module) => {
      const withModule = async <T>(hash: string, replay: () => Promise<T>): Promise<T> => {
        const takeBack = desk.offer(hash, () => module(hash));
        return replay().finally(takeBack);
      };
      return {
        replay: (request, options) => withModule(request.module, () => engine.replay(request, options)),
        query: (request, options) => withModule(request.module, () => engine.query(request, options)),
      };
    },
    stop: async () => {
      await links.stop();
      await engine.stop();
    },
  };
};
