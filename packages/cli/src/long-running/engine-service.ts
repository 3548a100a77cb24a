/**
 * One engine, and its places for runs, for all in this process who let others run jobs here: an engine server, and a control
 * plane that lends its engine. Owns the engine.
 */
import { LinkServer, ModuleDesk, openEngine, type EffectPerformer } from '@mvm-ci/engine';
import { flawlessLimits } from '@mvm-ci/flawless';
import { systemClock } from '@mvm-ci/net';
import type { Logger } from '@mvm-ci/protocol';
import type { Config } from '../config/setting.ts';
import { cliLimits } from '../limits.ts';
import { systemRandom } from '../system-random.ts';

/** An open engine service. */
export interface EngineService {
  readonly links: LinkServer;
  /** Drops what is left and ends the engine. */
  stop(): Promise<void>;
}

interface EngineServiceOptions {
  readonly config: Pick<Config, 'threads' | 'maxRuns'>;
  readonly logger: Logger;
  /** @default systemFetch */
  readonly performer?: EffectPerformer | undefined;
  /** See `EngineOptions`. @default cliLimits.suspendAfterMs */
  readonly suspendAfterMs?: number | undefined;
}

/** Opens an engine that gets its modules from whoever asks for a run. */
export const openEngineService = async ({
  config,
  logger,
  performer,
  suspendAfterMs = cliLimits.suspendAfterMs,
}: EngineServiceOptions): Promise<EngineService> => {
  const desk = new ModuleDesk();
  const engine = await openEngine({
    modules: desk.source,
    threads: config.threads,
    clock: systemClock,
    random: systemRandom,
    logger,
    performer,
    suspendAfterMs,
  });
  const links = new LinkServer({
    engine,
    runsMax: config.maxRuns ?? flawlessLimits.runsDefault,
    modules: desk,
    clock: systemClock,
  });
  return {
    links,
    stop: async () => {
      await links.stop();
      await engine.stop();
    },
  };
};
