import { startEngineServer } from '@mvm-ci/flawless';
import { openFrameChannel, openHttpAgents, openHttpDuplex, systemClock, type ByteDuplex } from '@mvm-ci/net';
import { mvmError, type Logger } from '@mvm-ci/protocol';
import { describeEngineHost, MessageCutter, type OpenHarness } from '@mvm-ci/testkit';
import { LinkDialer, LinkHost } from '@mvm-ci/worker';
import { openEngineService } from '../src/long-running/engine-service.ts';
import { systemRandom } from '../src/system-random.ts';

const quiet = (): void => undefined;
const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const clock = systemClock;

/** An engine server with an engine behind it, on a free port. */
const openServer = async (runsMax: number): Promise<{ readonly url: string; stop(): Promise<void> }> => {
  const service = await openEngineService({ config: { threads: 1, maxRuns: runsMax }, logger });
  const http = { host: '127.0.0.1', port: 0 };
  const server = await startEngineServer({ http, links: service.links, version: '0', logger, clock });
  return {
    url: server.url,
    stop: async () => {
      await service.stop();
      await server.stop({ graceMs: 0 });
    },
  };
};

/** The link over a real engine server: HTTP/1.1 on real sockets. */
const overHttp: OpenHarness = async ({ modules, runsMax }) => {
  const cutter = new MessageCutter();
  const agents = openHttpAgents();
  let server = await openServer(runsMax);
  let duplex: ByteDuplex | undefined;
  const dialer = new LinkDialer({
    connect: async (signal) => {
      duplex = await openHttpDuplex({ url: server.url, agents, signal, clock });
      const channel = openFrameChannel({ duplex, side: 'client', clock });
      return { open: cutter.wrap(channel.open), closed: channel.closed, close: (error) => channel.close(error) };
    },
    engine: 'an engine server',
    clock,
    random: systemRandom,
    logger,
  });
  const host = new LinkHost({ dialer, journal: 'carried', modules, clock });
  await dialer.connection();
  return {
    host,
    cutter,
    loseEngine: async () => {
      const lost = server;
      server = await openServer(runsMax);
      duplex?.close(mvmError('CONNECTION_LOST', 'the engine server is gone'));
      await lost.stop();
    },
    stop: async () => {
      await host.stop();
      agents.close();
      await server.stop();
    },
  };
};

describeEngineHost('an engine server over HTTP', overHttp);
