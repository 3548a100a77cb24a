/**
 * A stranger with a node of its own that speaks bytes to a control plane, and so can break every rule of HTTP/3. It writes
 * its frames and heads by hand: the tests of `packages/net` check that those of ours are right.
 */
import { connectHttp3, decodeTicket, http3Alpn, openEndpoint } from '@mvm-ci/net';
import type { BidirectionalStream, PeerClient, PeerConnection, PeerEndpoint, Ticket } from '@mvm-ci/net';
import { peerProtocol, routes } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

/** A variable-length integer of 4 bytes (RFC 9000 section 16). */
const integer = (value: number): number[] => [
  0x80 | (value >>> 24),
  (value >>> 16) & 0xff,
  (value >>> 8) & 0xff,
  value & 0xff,
];

/** A frame (RFC 9114 section 7.1); `announced` may lie about its length. */
export const frame = (type: number, payload: Uint8Array, announced: number = payload.length): Uint8Array =>
  Uint8Array.from([type, ...integer(announced), ...payload]);

const text = (value: string): number[] => [...Buffer.from(value)];

/** A string behind its length in 7 bits, of which the highest values need a second byte (RFC 7541 section 5.1). */
const literal = (value: string): number[] => {
  const bytes = text(value);
  return bytes.length < 127 ? [bytes.length, ...bytes] : [127, ...longRest(bytes.length - 127), ...bytes];
};
const longRest = (rest: number): number[] => (rest < 128 ? [rest] : [(rest % 128) | 0x80, ...longRest(rest >> 7)]);

/** A line with a literal name and value (RFC 9204 section 4.5.6). */
const line = (name: string, value: string): number[] => {
  const bytes = text(name);
  const length = bytes.length < 7 ? [0x20 | bytes.length] : [0x27, ...longRest(bytes.length - 7)];
  return [...length, ...bytes, ...literal(value)];
};

/** The head of a request. */
export const head = (method: string, path: string, more: Readonly<Record<string, string>> = {}): Uint8Array => {
  const lines = { ':method': method, ':scheme': 'iroh+h3', ':authority': 'x', ':path': path, ...more };
  return frame(0x01, Uint8Array.from([0, 0, ...Object.entries(lines).flatMap(([name, value]) => line(name, value))]));
};

/** What a node says that wants to join by a token. */
export const joinBody = (token: string): string =>
  JSON.stringify({ protocol: peerProtocol, token, incarnation: 'attacker', name: 'attacker' });

/** A node that attacks. */
export class Attacker implements AsyncDisposable {
  /** What the user would paste. */
  readonly text: string;
  readonly ticket: Ticket;
  readonly #endpoints: PeerEndpoint[] = [];
  /** What is collected is finished: everything that hangs is held until the end. */
  readonly #held: unknown[] = [];

  constructor(ticket: string) {
    this.text = ticket;
    this.ticket = decodeTicket(ticket);
  }

  /** A connection from a fresh node, which no one has seen before. */
  async connect(alpn: string = http3Alpn): Promise<PeerConnection> {
    const endpoint = await this.#open();
    return endpoint.connect(this.ticket.address, { alpn });
  }

  /** A client that follows the rules of HTTP/3, from a fresh node. */
  async client(): Promise<PeerClient> {
    return connectHttp3(await this.#open(), this.ticket.address);
  }

  /** The same when it has joined, as a worker would. */
  async member(): Promise<PeerClient> {
    const client = await this.client();
    const headers = { 'content-type': 'application/json' };
    const answer = await client.fetch(routes.join, {
      method: 'POST',
      headers,
      body: joinBody(this.ticket.token ?? ''),
    });
    assert.equal(answer.status, 200, await answer.text());
    return client;
  }

  /** Opens a stream, writes to it, and leaves it so. */
  async write(connection: PeerConnection, ...pieces: readonly Uint8Array[]): Promise<BidirectionalStream> {
    const stream = await connection.openBidirectional();
    this.#held.push(stream);
    for (const piece of pieces) await stream.send.writeAll(piece);
    return stream;
  }

  /** Sends a request of bytes. @returns whether it was answered, and not ended by an error */
  async isAnswered(connection: PeerConnection, ...pieces: readonly Uint8Array[]): Promise<boolean> {
    try {
      const { send, receive } = await this.write(connection, ...pieces);
      await send.finish();
      for (let bytes = await receive.read(4_096); bytes.length > 0;) bytes = await receive.read(4_096);
      return true;
    } catch {
      return false;
    }
  }

  /** Ends at once, as a killed process would but for the news of it. */
  async vanish(): Promise<void> {
    await Promise.all(this.#endpoints.splice(0).map((endpoint) => endpoint.close()));
    this.#held.length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.vanish();
  }

  async #open(): Promise<PeerEndpoint> {
    const endpoint = await openEndpoint({ secretKey: randomBytes(32), bind: ['127.0.0.1:0'] });
    this.#endpoints.push(endpoint);
    return endpoint;
  }
}
