/**
 * The thread of a worker's connection: it speaks with the control plane for a worker whose own thread may be busy for long, and
 * keeps its leases meanwhile (`shadow-heartbeat.ts`). Calls come from `thread-peer.ts`.
 */
import { decodeTicket, openEndpoint, ReconnectingPeer, systemClock, ticketAddresses } from '@mvm-ci/net';
import {
  appendRequestSchema,
  asMvmError,
  claimRequestSchema,
  finishRequestSchema,
  heartbeatRequestSchema,
  inboxRequestSchema,
  joinRequestSchema,
  leaveRequestSchema,
  mvmError,
  parseAs,
  type CallRequest,
  type LeaseRef,
} from '@mvm-ci/protocol';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { CallOptions, ControlPlane } from '../control-plane.ts';
import { workerLimits } from '../limits.ts';
import { peerControlPlane } from '../peer-control-plane.ts';
import { httpControlPlane } from './http-peer.ts';
import { ShadowHeartbeat } from './shadow-heartbeat.ts';
import {
  connectionStartSchema,
  type ConnectionStart,
  type FromConnection,
  type ToConnection,
} from './thread-message.ts';

interface Connection {
  readonly controlPlane: ControlPlane;
  close(): Promise<void>;
}

const open = async (start: ConnectionStart): Promise<Connection> => {
  if (start.type === 'url') return httpControlPlane({ ...start, clock: systemClock });
  const ticket = decodeTicket(start.ticket, { clock: systemClock });
  const relay = start.relay === 'none' || start.relay === 'default' ? start.relay : new URL(start.relay);
  const secretKey = crypto.getRandomValues(new Uint8Array(32));
  const endpoint = await openEndpoint({ secretKey, relay, discovery: start.discovery });
  const peer = new ReconnectingPeer({
    endpoint,
    addresses: ticketAddresses(ticket),
    random: () => Math.random(),
    backoffMsMax: workerLimits.retryMsMax,
  });
  return {
    controlPlane: peerControlPlane(peer, systemClock),
    close: async () => {
      await peer.close();
      await endpoint.close();
    },
  };
};

/** Answers the calls of the worker. */
class Desk {
  readonly #port: MessagePort;
  readonly #connection: Connection;
  readonly #shadow: ShadowHeartbeat;
  readonly #calls: Map<number, AbortController> = new Map();
  readonly #closed = Promise.withResolvers<void>();

  constructor(port: MessagePort, connection: Connection) {
    this.#port = port;
    this.#connection = connection;
    this.#shadow = new ShadowHeartbeat({ controlPlane: connection.controlPlane, clock: systemClock });
    port.on('message', (message: ToConnection) => this.#receive(message));
  }

  /** Settles when all is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  #receive(message: ToConnection): void {
    switch (message.type) {
      case 'call':
        return void this.#answer(message.id, message.request);
      case 'abort':
        return this.#calls.get(message.id)?.abort();
      case 'close':
        return void this.#close();
    }
  }

  async #answer(id: number, request: CallRequest): Promise<void> {
    const call = new AbortController();
    this.#calls.set(id, call);
    try {
      tell(this.#port, { type: 'answer', id, value: await this.#call(request, call.signal) });
    } catch (error) {
      tell(this.#port, { type: 'refusal', id, error: asMvmError(error).toRecord() });
    }
    this.#calls.delete(id);
  }

  async #call({ route, body, parameter = '', search }: CallRequest, signal: AbortSignal): Promise<unknown> {
    const { controlPlane } = this.#connection;
    const options: CallOptions = { signal };
    switch (route) {
      case 'join': {
        const answer = await controlPlane.join(parseAs(joinRequestSchema, body, route), options);
        this.#shadow.joined(answer);
        return answer;
      }
      case 'leave':
        return controlPlane.leave(parseAs(leaveRequestSchema, body, route), options);
      case 'claim': {
        const request = parseAs(claimRequestSchema, body, route);
        const deadlineMs = (request.waitMs ?? 0) + workerLimits.requestMs;
        const answer = await controlPlane.claim(request, { signal, deadlineMs });
        this.#shadow.claimed(request.incarnation, answer);
        return answer;
      }
      case 'heartbeat': {
        const request = parseAs(heartbeatRequestSchema, body, route);
        this.#shadow.beaten(request);
        return controlPlane.heartbeat(request, options);
      }
      case 'finish': {
        const request = parseAs(finishRequestSchema, body, route);
        const answer = await controlPlane.finish(request, options);
        this.#shadow.finished(request, answer);
        return answer;
      }
      case 'append':
        return controlPlane.append(parseAs(appendRequestSchema, body, route), options);
      case 'peerInbox':
        return controlPlane.inbox(parseAs(inboxRequestSchema, body, route), {
          signal,
          deadlineMs: workerLimits.inboxWaitMs + workerLimits.requestMs,
        });
      case 'peerJournal':
        return controlPlane.journal(leaseOf(parameter, search), options);
      default:
        throw mvmError('INTERNAL', `a worker of handlers does not call ${route}`);
    }
  }

  async #close(): Promise<void> {
    this.#shadow.stop();
    for (const call of this.#calls.values()) call.abort();
    await this.#connection.close();
    this.#port.close();
    this.#closed.resolve();
  }
}

const leaseOf = (job: string, search: CallRequest['search']): LeaseRef => ({ job, epoch: Number(search?.['epoch']) });

const tell = (port: MessagePort, message: FromConnection): void => port.postMessage(message);

const serve = async (port: MessagePort): Promise<void> => {
  try {
    const desk = new Desk(port, await open(connectionStartSchema.parse(workerData)));
    tell(port, { type: 'ready' });
    await desk.closed;
  } catch (error) {
    tell(port, { type: 'failed', error: asMvmError(error).toRecord() });
    port.close();
  }
};

if (parentPort !== null) void serve(parentPort);
