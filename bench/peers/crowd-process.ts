/** One process of a crowd: `crowd-process.ts TICKET COUNT`. Says a line when all have joined; drains when its input ends. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Engine, EngineRun } from '@mvm-ci/engine';
import { decodeTicket, openEndpoint, ReconnectingPeer, systemClock, type PeerEndpoint } from '@mvm-ci/net';
import type { Logger, Random } from '@mvm-ci/protocol';
import { embeddedHost, startWorker, type Worker } from '@mvm-ci/worker';

const [ticketText = '', count = '1'] = process.argv.slice(2);
const ticket = decodeTicket(ticketText);
const joinsAtOnce = 32;
const slots = 4;
const random: Random = { bytes: (length) => new Uint8Array(randomBytes(length)), unit: () => Math.random() };
const note = (): void => undefined;
const logger: Logger = { debug: note, info: note, warn: note, error: note };

/** Completes each job with one durable finish, and nothing else. */
const instantEngine: Engine = {
  run: (_request, { sink }): EngineRun => {
    const outcome = { type: 'completed', result: 'null' } as const;
    const ended = sink.finish([], outcome).then(
      () => ({ type: 'finished', outcome }) as const,
      () => ({ type: 'dropped' }) as const,
    );
    return { ended, cancel: note, release: note, drop: note };
  },
  stop: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

const workers: Worker[] = [];
const endpoints: PeerEndpoint[] = [];

const joinOne = async (): Promise<void> => {
  const endpoint = await openEndpoint({ secretKey: randomBytes(32), bind: ['127.0.0.1:0'] });
  endpoints.push(endpoint);
  const peer = new ReconnectingPeer({ endpoint, addresses: [ticket.address], random: () => random.unit() });
  const { token } = ticket;
  const openHost = (): ReturnType<typeof embeddedHost> => embeddedHost(instantEngine);
  workers.push(await startWorker({ peer, openHost, slots, token, clock: systemClock, random, logger }));
};

let left = Number(count);
const lane = async (): Promise<void> => {
  for (; left > 0;) {
    left -= 1;
    await joinOne();
  }
};
await Promise.all(Array.from({ length: joinsAtOnce }, lane));
console.log('joined');
process.stdin.resume();
await once(process.stdin, 'end');
await Promise.all(workers.map((worker) => worker.drain()));
await Promise.all(endpoints.map((endpoint) => endpoint.close()));
process.exit();
