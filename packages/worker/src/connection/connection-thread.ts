/**
 * The thread of a worker's connection: it speaks with the control plane for a worker whose own thread may be busy for long, and
 * keeps its leases meanwhile (`shadow-heartbeat.ts`). Calls come from `thread-peer.ts`.
 */
import { decodeTicket, openEndpoint, ReconnectingPeer, systemClock, ticketAddresses } from '@mvm-ci/net';
import { asMvmError } from '@mvm-ci/protocol';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { CallOptions, OpenControlPlane } from '../control-plane.ts';
import { workerLimits } from '../limits.ts';
import { peerControlPlane } from '../peer-control-plane.ts';
import { httpControlPlane } from './http-peer.ts';
import { ShadowHeartbeat } from './shadow-heartbeat.ts';
import {
  connectionStartSchema,
  type ConnectionAnswer,
  type ConnectionCall,
  type ConnectionStart,
  type FromConnection,
  type ToConnection,
} from './thread-message.ts';

const open = async (start: ConnectionStart): Promise<OpenControlPlane> => {
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
  readonly #connection: OpenControlPlane;
  readonly #shadow: ShadowHeartbeat;
  readonly #calls: Map<number, AbortController> = new Map();
  readonly #closed = Promise.withResolvers<void>();

  constructor(port: MessagePort, connection: OpenControlPlane) {
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
        return void this.#answer(message.id, message.call);
      case 'abort':
        return this.#calls.get(message.id)?.abort();
      case 'close':
        return void this.#close();
    }
  }

  async #answer(id: number, asked: ConnectionCall): Promise<void> {
    const call = new AbortController();
    this.#calls.set(id, call);
    try {
      tell(this.#port, { type: 'answer', id, answer: await this.#call(asked, call.signal) });
    } catch (error) {
      tell(this.#port, { type: 'refusal', id, error: asMvmError(error).toRecord() });
    }
    this.#calls.delete(id);
  }

  async #call({ method, request }: ConnectionCall, signal: AbortSignal): Promise<ConnectionAnswer> {
    const { controlPlane } = this.#connection;
    const options: CallOptions = { signal };
    switch (method) {
      case 'join': {
        const value = await controlPlane.join(request, options);
        this.#shadow.joined(value);
        return { method, value };
      }
      case 'leave':
        return { method, value: await controlPlane.leave(request, options) };
      case 'claim': {
        const deadlineMs = (request.waitMs ?? 0) + workerLimits.requestMs;
        const value = await controlPlane.claim(request, { signal, deadlineMs });
        this.#shadow.claimed(request.incarnation, value);
        return { method, value };
      }
      case 'heartbeat':
        this.#shadow.beaten(request);
        return { method, value: await controlPlane.heartbeat(request, options) };
      case 'finish': {
        const value = await controlPlane.finish(request, options);
        this.#shadow.finished(request, value);
        return { method, value };
      }
      case 'append':
        return { method, value: await controlPlane.append(request, options) };
      case 'inbox': {
        const deadlineMs = workerLimits.inboxWaitMs + workerLimits.requestMs;
        return { method, value: await controlPlane.inbox(request, { signal, deadlineMs }) };
      }
      case 'journal':
        return { method, value: await controlPlane.journal(request, options) };
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
