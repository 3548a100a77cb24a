import { listenHttp, openFrameChannel, systemClock, type ByteDuplex, type FrameChannel } from '@mvm-ci/net';
import { linkHeader, linkVersion } from '@mvm-ci/protocol';
import { describeEngineHost, MessageCutter, type OpenHarness } from '@mvm-ci/testkit';
import { RemoteMember } from '../../src/engine-hosts/remote.ts';
import { EngineBox } from '../fixtures/engine-box.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

const open: OpenHarness = async (parts) => {
  const cutter = new MessageCutter();
  const box = new EngineBox(parts);
  const channels = new Set<FrameChannel>();
  const serve = async (duplex: ByteDuplex): Promise<void> => {
    const accept = cutter.wrapAccept(await box.accept());
    channels.add(openFrameChannel({ duplex, side: 'server', clock: systemClock, accept }));
  };
  const server = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    fetch: () => Promise.resolve(new Response(null, { headers: { [linkHeader]: String(linkVersion) } })),
    links: { clock: systemClock, opened: (duplex) => void serve(duplex) },
  });
  const logger = new KeptLogger();
  const { modules } = parts;
  const host = new RemoteMember({ url: server.url, modules, clock: systemClock, random: fixedRandom, logger });
  const loseEngine = async (): Promise<void> => {
    for (const channel of channels) channel.close();
    channels.clear();
    await box.lose();
  };
  return {
    host,
    cutter,
    loseEngine,
    stop: async () => {
      await host.stop();
      await loseEngine();
      await server.stop(0);
    },
  };
};

describeEngineHost('an engine server over HTTP', open);
