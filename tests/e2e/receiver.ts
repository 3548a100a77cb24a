/**
 * A server that tests control by hand: it notes every request by its `Idempotency-Key`, and holds an answer back until the
 * test lets it go. So a test can stop the world between an effect's intent and its result.
 *
 * Each answer says in its header `arrival` how many requests with its key had come, itself included: a journal that keeps
 * the answer tells which of them it was.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Arrival } from '@mvm-ci/testkit';

/** One request as it came in. */
export interface Request extends Arrival {
  readonly path: string;
  readonly method: string;
  /** Names and values one after another, as they came. */
  readonly headers: readonly string[];
  /** What has come of it so far. */
  readonly body: string;
}

/** Answers one request; `next` is the receiver's ordinary answer. */
export type Handler = (request: Request, respond: (status: number, text: string) => void) => void;

/** A running receiver. */
export class Receiver implements AsyncDisposable {
  readonly url: string;
  readonly requests: Request[] = [];
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();
  readonly #arrivals = new Map<string, number>();

  private constructor(server: Server, handle: Handler) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (message, response) => this.#receive(message, response, handle));
  }

  /** Starts one. @param handle answers requests; by default all of them at once with 200 and their path */
  static async start(handle: Handler = ({ path }, respond) => respond(200, path)): Promise<Receiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Receiver(server, handle);
  }

  /** Waits until `count` requests that match have come in. */
  async arrivals(count: number, matches: (request: Request) => boolean = () => true): Promise<void> {
    while (this.requests.filter(matches).length < count) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #receive(message: IncomingMessage, response: ServerResponse, handle: Handler): void {
    const key = String(message.headers['idempotency-key'] ?? '');
    const { url: path = '', method = '', rawHeaders: headers } = message;
    const request = { key, atMs: Date.now(), path, method, headers, body: '' };
    message.setEncoding('utf8').on('data', (text: string) => {
      request.body += text;
    });
    this.requests.push(request);
    const arrival = (this.#arrivals.get(key) ?? 0) + 1;
    this.#arrivals.set(key, arrival);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
    handle(request, (status, text) => response.writeHead(status, { arrival }).end(text));
  }
}
