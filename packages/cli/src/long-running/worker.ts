import { decodeTicket, openEndpoint, systemClock, type PeerEndpoint, type Ticket } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { startWorker, type Worker } from '@mvm-ci/worker';
import { pathFrom, type CommandContext } from '../command-context.ts';
import type { Host } from '../host.ts';
import { answerInterrupts } from '../interrupt.ts';
import { openLogger } from '../logging.ts';
import { workerKey } from '../node-key.ts';
import { peerOptions, reconnectingPeer } from '../peer-plane.ts';
import { exitCodes } from '../output/failure.ts';
import { systemRandom } from '../system-random.ts';
import { ticketText } from '../ticket-text.ts';
import { openEngineHost } from './engine-host.ts';
import { performerOf } from './kept-secrets.ts';

/** Works until it is told to stop. @returns the exit code */
export const runWorker = async (context: CommandContext): Promise<number> => {
  const { host, config } = context;
  const ticket = readTicket(host, config.ticket);
  const stop = new AbortController();
  let worker: Worker | undefined;
  const end = answerInterrupts(host, {
    drain: () => {
      if (worker) void worker.drain({ graceMs: config.grace * 1_000 });
      else stop.abort();
    },
    stop: () => void worker?.stop(),
  });
  const logger = openLogger(context);
  const folder = config.workerData === undefined ? undefined : pathFrom(host, config.workerData);
  using key = workerKey(folder, (text) => logger.warn(text));
  const endpoint = await openEndpoint({ secretKey: key.bytes, ...peerOptions(config) });
  try {
    worker = await join(context, { ticket, endpoint, signal: stop.signal });
    return await untilClosed(context, worker);
  } catch (error) {
    if (stop.signal.aborted) return exitCodes.ok;
    throw error;
  } finally {
    await endpoint.close();
    end();
  }
};

const readTicket = (host: Host, text: string | undefined): Ticket => {
  if (text !== undefined) return decodeTicket(ticketText(host, text), { clock: systemClock });
  throw mvmError('TICKET_INVALID', 'a worker needs a ticket: give it with --ticket or CONTROL_PLANE_TICKET');
};

interface Joining {
  readonly ticket: Ticket;
  readonly endpoint: PeerEndpoint;
  readonly signal: AbortSignal;
}

const join = ({ config, ...context }: CommandContext, { ticket, endpoint, signal }: Joining): Promise<Worker> => {
  const logger = openLogger({ ...context, config });
  const performer = performerOf({ ...context, config });
  if (ticket.address.relayUrl !== undefined && config.relay === 'none')
    logger.info(
      `the ticket names the relay ${ticket.address.relayUrl}: with --relay it would be used where no direct way is`,
    );
  const peer = reconnectingPeer(endpoint, ticket, (state) =>
    logger.debug({ peer: state.state }, 'connection to the control plane'),
  );
  return startWorker({
    peer,
    openHost: (modules) => openEngineHost({ config, peer, modules, performer, logger }),
    slots: config.slots,
    token: ticket.token,
    cluster: ticket.cluster,
    joinMs: config.joinTimeout === undefined ? undefined : config.joinTimeout * 1_000,
    name: config.name,
    clock: systemClock,
    random: systemRandom,
    logger,
    signal,
  });
};

const untilClosed = async ({ config, terminal, host }: CommandContext, worker: Worker): Promise<number> => {
  const { node, cluster } = worker;
  const ready = { ready: 'worker', node, cluster, name: config.name ?? node.slice(0, 10), slots: config.slots };
  terminal.result(
    { ...ready, pid: host.pid },
    () => `worker ${ready.name} has joined, with ${config.slots} slots (pid ${host.pid})`,
  );
  const ended = await worker.closed;
  switch (ended.type) {
    case 'drained':
      return exitCodes.ok;
    case 'stopped':
      return exitCodes.failed;
    case 'refused':
      throw ended.error;
  }
};
