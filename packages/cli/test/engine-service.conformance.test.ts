import { startEngineServer } from '@mvm-ci/flawless';
import { openHttpAgents, systemClock } from '@mvm-ci/net';
import type { Logger } from '@mvm-ci/protocol';
import { conformanceSuspendAfterMs, describeEngineHost, MessageCutter, type OpenHarness } from '@mvm-ci/testkit';
import { RemoteMember } from '@mvm-ci/worker';
import { openEngineService } from '../src/long-running/engine-service.ts';
import { systemRandom } from '../src/system-random.ts';

const quiet = (): void => undefined;
const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const clock = systemClock;

interface ServerOptions {
  readonly port: number;
  readonly runsMax: number;
  readonly cutter: MessageCutter;
}

/** An engine server as the command line starts it: on a real socket, with an engine behind it. */
const openServer = async ({
  port,
  runsMax,
  cutter,
}: ServerOptions): Promise<{ url: string; stop(): Promise<void> }> => {
  const service = await openEngineService({
    config: { threads: 1, maxRuns: runsMax },
    logger,
    suspendAfterMs: conformanceSuspendAfterMs,
  });
  const server = await startEngineServer({
    http: { host: '127.0.0.1', port },
    links: {
      runs: 0,
      runsMax,
      features: service.links.features,
      accept: () => cutter.wrapAccept(service.links.accept()),
      drain: (options) => service.links.drain(options),
    },
    version: '0.0.0',
    logger,
    clock,
  });
  return {
    url: server.url,
    stop: async () => {
      await service.stop();
      await server.stop({ graceMs: 0 });
    },
  };
};

const overHttp: OpenHarness = async ({ modules, runsMax }) => {
  const cutter = new MessageCutter();
  const agents = openHttpAgents();
  let server = await openServer({ port: 0, runsMax, cutter });
  const { url } = server;
  const host = new RemoteMember({ url, agents, modules, clock, random: systemRandom, logger });
  return {
    host,
    cutter,
    loseEngine: async () => {
      await server.stop();
      server = await openServer({ port: Number(new URL(url).port), runsMax, cutter });
    },
    stop: async () => {
      await host.stop();
      agents.close();
      await server.stop();
    },
  };
};

describeEngineHost('an engine server of the command line, over HTTP', overHttp);
