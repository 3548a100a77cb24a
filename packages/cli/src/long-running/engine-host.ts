/** The place where a worker's jobs run, as the settings name it (`docs/reference/flawless.md`). */
import { openEngine, type EffectPerformer } from '@mvm-ci/engine';
import { openHttpAgents, systemClock, type ReconnectingPeer } from '@mvm-ci/net';
import type { BlobPort, Logger, Tracer } from '@mvm-ci/protocol';
import {
  embeddedHost,
  EnginePool,
  ForeignHost,
  identifyEngineServer,
  parseEngineSetting,
  peerHost,
  RemoteMember,
  SingleServer,
  systemDns,
  systemHttp,
  type EngineHost,
  type ModuleSource,
} from '@mvm-ci/worker';
import type { Config } from '../config/setting.ts';
import { cliLimits } from '../limits.ts';
import { systemRandom } from '../system-random.ts';

interface EngineHostParts {
  readonly config: Pick<Config, 'flawlessUrl' | 'flawlessToken' | 'threads'>;
  /** The worker's connection to its control plane. */
  readonly peer: Pick<ReconnectingPeer, 'openChannel'>;
  readonly modules: ModuleSource;
  readonly blobs: BlobPort;
  /** Performs the requests of an engine in this worker. */
  readonly performer: EffectPerformer;
  readonly logger: Logger;
  /** Takes the spans of that engine. */
  readonly tracer: Tracer | undefined;
}

const { suspendAfterMs } = cliLimits;
const ports = { clock: systemClock, random: systemRandom };

/** Makes the host. @throws CONFIG_INVALID */
export const openEngineHost = async (parts: EngineHostParts): Promise<EngineHost> => {
  const { config, peer, modules, performer, logger, tracer } = parts;
  const setting = parseEngineSetting(config.flawlessUrl ?? '');
  switch (setting.kind) {
    case 'embedded':
      logger.info({}, 'jobs run in this worker');
      return embeddedHost(
        await openEngine({ ...ports, modules, performer, threads: config.threads, logger, tracer, suspendAfterMs }),
      );
    case 'peer':
      logger.info({}, 'jobs run in the engine of the control plane');
      return peerHost({ ...ports, openChannel: (path, options) => peer.openChannel(path, options), modules, logger });
    case 'remote':
      return singleServer(setting.url, parts);
    case 'pool':
      return new EnginePool({
        ...ports,
        source: setting.source,
        dns: systemDns(),
        openMember: memberOpener(parts, { isQuiet: true }),
        logger,
      });
  }
};

type OpenMember = (target: { readonly url: string; readonly address?: string | undefined }) => RemoteMember;

/** Members share their connections. */
const memberOpener = (
  { config, modules, blobs, logger }: EngineHostParts,
  { isQuiet }: { readonly isQuiet: boolean },
): OpenMember => {
  const common = { ...ports, token: config.flawlessToken, agents: openHttpAgents(), modules, blobs, isQuiet, logger };
  return (target) => new RemoteMember({ ...common, ...target });
};

const singleServer = (url: string, parts: EngineHostParts): EngineHost => {
  const { config, modules, logger } = parts;
  const server = { url, token: config.flawlessToken };
  return new SingleServer({
    ...ports,
    url,
    identify: (signal) => identifyEngineServer({ ...server, http: systemHttp, clock: systemClock, signal }),
    open: ({ type, version }) =>
      type === 'link'
        ? memberOpener(parts, { isQuiet: false })({ url })
        : new ForeignHost({ ...ports, ...server, version, modules, http: systemHttp, logger }),
    logger,
  });
};
