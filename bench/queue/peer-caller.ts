/** A peer of the control plane in this process: claims and completes over iroh, as a worker does. */
import { randomBytes } from 'node:crypto';
import {
  connectHttp3,
  decodeTicket,
  openEndpoint,
  peerStreamLimits,
  requestChannel,
  type FrameChannel,
  type PeerClient,
  type PeerEndpoint,
} from '@mvm-ci/net';
import {
  decodeBody,
  decodeCallAnswer,
  encodeBody,
  encodeCall,
  heartbeatAnswerSchema,
  joinAnswerSchema,
  parseAs,
  peerProtocol,
  routePath,
} from '@mvm-ci/protocol';
import type { HttpCaller } from '../http-caller.ts';
import {
  claimRequest,
  finishRequest,
  publishOverHttp,
  readClaim,
  readItems,
  type QueueCaller,
} from './queue-caller.ts';

const keyBytes = 32;
const messagePack = 'application/msgpack';
const loopback = ['127.0.0.1:0'];

/** A joined peer; it closes its connection and its endpoint when it is disposed of. */
export class PeerCaller implements AsyncDisposable {
  readonly #endpoint: PeerEndpoint;
  readonly #client: PeerClient;
  #channel: FrameChannel | undefined;

  private constructor(endpoint: PeerEndpoint, client: PeerClient) {
    this.#endpoint = endpoint;
    this.#client = client;
  }

  /** Connects by a ticket and joins. */
  static async join(ticketText: string): Promise<PeerCaller> {
    const ticket = decodeTicket(ticketText);
    const endpoint = await openEndpoint({ secretKey: randomBytes(keyBytes), bind: loopback });
    try {
      const peer = new PeerCaller(endpoint, await connectHttp3(endpoint, ticket));
      const { incarnation } = claimRequest(1, 0);
      const joined = await peer.#post(routePath('join'), { protocol: peerProtocol, token: ticket.token, incarnation });
      parseAs(joinAnswerSchema, joined, 'the answer to a join');
      await peer.#openChannel();
      return peer;
    } catch (error) {
      await endpoint.close();
      throw error;
    }
  }

  /** Publishes over HTTP, since a peer may not, and does the rest over iroh. */
  queueCaller(http: HttpCaller): QueueCaller {
    return {
      publish: (ids) => publishOverHttp(http, ids),
      claim: async (capacity, waitMs) => readClaim(await this.#call('claim', claimRequest(capacity, waitMs))),
      finish: async (jobs) => readItems(await this.#call('finish', finishRequest(jobs))),
    };
  }

  /** A request that makes the control plane do nothing: a heartbeat that names no job. */
  async idle(): Promise<void> {
    const { incarnation } = claimRequest(1, 0);
    const answer = await this.#call('heartbeat', { incarnation, held: [] });
    parseAs(heartbeatAnswerSchema, answer, 'the answer to a heartbeat');
  }

  /** A module file, by its hash. */
  async module(hash: string): Promise<Uint8Array> {
    const response = await this.#client.fetch(routePath('peerModule', { hash }));
    return new Uint8Array(await response.arrayBuffer());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#endpoint.close();
  }

  async #openChannel(): Promise<void> {
    const path = routePath('peerStream');
    const options = { path, limits: peerStreamLimits };
    this.#channel = await requestChannel((to, init) => this.#client.fetch(to, init), options);
  }

  /** A call over the peer stream, as a worker sends it. */
  async #call(route: 'claim' | 'finish' | 'heartbeat', body: unknown): Promise<unknown> {
    const answered = Promise.withResolvers<Uint8Array>();
    const conversation = this.#channel?.open({
      onMessage: (message) => answered.resolve(message),
      onEnd: () => undefined,
      onClosed: (error) => answered.reject(error ?? new Error(`${route} was not answered`)),
    });
    void conversation?.send(encodeCall({ method: 'POST', route, body }));
    conversation?.end();
    const answer = decodeCallAnswer(await answered.promise);
    if (answer.status === 200) return answer.body;
    throw new Error(`${route} was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  async #post(path: string, body: unknown): Promise<unknown> {
    const response = await this.#client.fetch(path, {
      method: 'POST',
      headers: { 'content-type': messagePack, accept: messagePack },
      body: encodeBody(body, messagePack),
    });
    const answer = decodeBody(new Uint8Array(await response.arrayBuffer()), messagePack);
    if (response.ok) return answer;
    throw new Error(`${path} was answered with ${response.status}: ${JSON.stringify(answer)}`);
  }
}
