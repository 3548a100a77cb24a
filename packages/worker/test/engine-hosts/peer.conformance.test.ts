import {
  http3Alpn,
  openEndpoint,
  openFrameChannel,
  outgoingBody,
  ReconnectingPeer,
  requestChannel,
  serveHttp3,
  systemClock,
  type FrameChannel,
} from '@mvm-ci/net';
import { routes } from '@mvm-ci/protocol';
import { attemptKeeper, describeEngineHost, MessageCutter, type OpenHarness } from '@mvm-ci/testkit';
import { peerHost } from '../../src/engine-hosts/peer.ts';
import { EngineBox } from '../fixtures/engine-box.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

const bind = ['127.0.0.1:0'];
let keys = 0;
const nextKey = (): Uint8Array => new Uint8Array(32).fill((keys += 1));

const open: OpenHarness = async (parts) => {
  const cutter = new MessageCutter();
  const signal = new AbortController().signal;
  const box = new EngineBox(
    parts,
    attemptKeeper(parts.attempts, (hash) => parts.modules(hash, { signal })),
  );
  const channels = new Set<FrameChannel>();
  const endpoint = await openEndpoint({ secretKey: nextKey(), alpns: [http3Alpn], bind });
  const server = serveHttp3(endpoint, {
    endlessPaths: new Set([routes.engineLink]),
    handler: async (request) => {
      const outgoing = outgoingBody();
      const duplex = outgoing.with(request.body ?? new ReadableStream());
      const accept = cutter.wrapAccept(await box.accept());
      channels.add(openFrameChannel({ duplex, side: 'server', clock: systemClock, accept }));
      return new Response(outgoing.body);
    },
  });
  const own = await openEndpoint({ secretKey: nextKey(), bind });
  const peer = new ReconnectingPeer({ endpoint: own, addresses: [endpoint.address()], random: () => 0.5 });
  const host = peerHost({
    openChannel: (path) => requestChannel((to, init) => peer.fetch(to, init), { path }),
    modules: parts.modules,
    clock: systemClock,
    random: fixedRandom,
    logger: new KeptLogger(),
  });
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
      await peer.close();
      await server.stop({ drainMs: 0 });
      await Promise.all([endpoint.close(), own.close()]);
    },
  };
};

describeEngineHost('the control plane’s engine over iroh', open);
