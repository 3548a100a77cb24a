/** A control plane over plain HTTP, as its operator: what a worker beside it, or in the same network, needs no ticket for. */
import { isLoopback, openHttpAgents, requestHttp, systemClock, type HttpAgents } from '@mvm-ci/net';
import {
  agreeOnProtocol,
  decodeBody,
  mvmError,
  peerProtocols,
  parseAs,
  routePath,
  type Clock,
  type JoinAnswer,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { OpenControlPlane } from '../control-plane.ts';
import { workerLimits } from '../limits.ts';
import { peerControlPlane, type Peer, type PeerInit } from '../peer-control-plane.ts';

/** Where it is, and who asks. */
export interface HttpPeerOptions {
  readonly url: string;
  /** Null: it demands none. */
  readonly token: string | null;
  /** The name under which leases are held. */
  readonly name: string;
  readonly clock: Clock;
}

const infoSchema = z.object({
  cluster: z.string(),
  lease: z.object({ lease_ms: z.number(), heartbeat_ms: z.number(), idle_heartbeat_ms: z.number() }),
  peer_protocol: z.object({ oldest: z.number(), newest: z.number() }).default({ oldest: 1, newest: 1 }),
});

/** The control plane at `url`. Joining asks for the periods of its leases: an operator is no node. */
export const httpControlPlane = (options: HttpPeerOptions): OpenControlPlane => {
  const peer = new HttpPeer(options);
  const join = async (_: unknown, { signal }: { readonly signal: AbortSignal }): Promise<JoinAnswer> => {
    const deadlineMs = workerLimits.requestMs;
    const headers = { accept: 'application/json' };
    const response = await peer.fetch(routePath('info'), { method: 'GET', headers, signal, deadlineMs });
    const body = decodeBody(new Uint8Array(await response.arrayBuffer()), 'application/json');
    if (response.status !== 200) throw unlike(options.url, response.status);
    const { cluster, lease, peer_protocol: spoken } = parseAs(infoSchema, body, `the answer of ${options.url}`);
    const { lease_ms: leaseMs, heartbeat_ms: heartbeatMs, idle_heartbeat_ms: idleHeartbeatMs } = lease;
    const theirs = { name: 'the control plane', ...spoken };
    const protocol = agreeOnProtocol({ name: 'this worker', ...peerProtocols }, theirs);
    return { node: options.name, cluster, protocol, leaseMs, heartbeatMs, idleHeartbeatMs };
  };
  return { controlPlane: { ...peerControlPlane(peer, options.clock, options.name), join }, close: () => peer.close() };
};

const unlike = (url: string, status: number): Error =>
  status === 401
    ? mvmError('UNAUTHENTICATED', `${url} demands a token, or another one: give it as "token"`)
    : mvmError('UNAVAILABLE', `${url} answered with status ${status}`);

class HttpPeer implements Peer {
  readonly #options: HttpPeerOptions;
  readonly #agents: HttpAgents = openHttpAgents();
  /** Within a machine bytes cost less than their compression. */
  readonly compresses: boolean;

  constructor(options: HttpPeerOptions) {
    this.#options = options;
    this.compresses = !isLoopback(new URL(options.url).hostname);
  }

  async fetch(path: string, { method, headers, body, signal, deadlineMs }: PeerInit): Promise<Response> {
    const { url, token } = this.#options;
    const answer = await requestHttp({
      url,
      path,
      method,
      headers,
      token: token ?? undefined,
      agents: this.#agents,
      body,
      bodyBytesMax: workerLimits.answerBytesMax,
      clock: systemClock,
      signal,
      deadlineMs,
    });
    const received = new Headers();
    for (const [name, value] of Object.entries(answer.headers))
      if (value !== undefined) received.set(name, Array.isArray(value) ? value.join(', ') : value);
    const isEmpty = answer.status === 204 || answer.status === 304;
    return new Response(isEmpty ? null : new Uint8Array(answer.body), { status: answer.status, headers: received });
  }

  close(): Promise<void> {
    this.#agents.close();
    return Promise.resolve();
  }
}
