/** A server of large bodies that are made as they are sent, and a place to send them to: neither is ever whole in memory. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beginBlake3 } from '@mvm-ci/protocol';

const pieceBytes = 1_048_576;

/** A body that arrived whole. */
export interface ArrivedBody {
  readonly hash: string;
  readonly bytes: number;
}

/** A running server. */
export class BlobServer implements AsyncDisposable {
  readonly url: string;
  readonly arrived: ArrivedBody[] = [];
  /** Bytes after which a body stands still; it goes on with `release`. */
  holdAt: number = Infinity;
  /** Bodies that were asked for. */
  requests = 0;
  readonly #server: Server;
  readonly #held = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (message, response) => {
      const served = message.method === 'PUT' ? this.#take(message, response) : this.#give(message, response);
      // Whoever went away in the middle is the test's affair.
      served.catch(() => undefined);
    });
  }

  static async start(): Promise<BlobServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BlobServer(server);
  }

  /** Settles when a body stands still. */
  get held(): Promise<void> {
    return this.#held.promise;
  }

  /** Lets bodies go on, also later ones. */
  release(): void {
    this.holdAt = Infinity;
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  /** `/<MiB>`: so many, each of one byte's value. */
  async #give(message: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const mib = Number(message.url?.slice(1));
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': mib * pieceBytes });
    for (let index = 0; index < mib; index += 1) {
      if (index * pieceBytes >= this.holdAt) {
        this.#held.resolve();
        await this.#released.promise;
      }
      if (!response.write(pieceOf(index))) await once(response, 'drain');
    }
    response.end();
  }

  async #take(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const hash = await beginBlake3();
    let bytes = 0;
    for await (const piece of message as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      bytes += piece.length;
    }
    this.arrived.push({ hash: hash.digest(), bytes });
    response.end('thanks');
  }
}

const pieceOf = (index: number): Uint8Array => new Uint8Array(pieceBytes).fill(index % 251);

/** What a body of so many MiB has. */
export const bodyOf = async (mib: number): Promise<ArrivedBody> => {
  const hash = await beginBlake3();
  for (let index = 0; index < mib; index += 1) hash.update(pieceOf(index));
  return { hash: hash.digest(), bytes: mib * pieceBytes };
};
