/** The receiver of the cluster's effects: answers at once, and counts requests by their key. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on this machine; it closes when it is disposed of. */
export class EffectServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #requests = new Map<string, number>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const key = request.headers['idempotency-key']?.toString() ?? '';
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
      response.writeHead(204).end();
    });
  }

  static async start(): Promise<EffectServer> {
    const started = new EffectServer();
    started.#server.listen(0, '127.0.0.1');
    await once(started.#server, 'listening');
    return started;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#server.address())}/`;
  }

  /** Requests that came again, though nothing went wrong. */
  get duplicated(): number {
    return [...this.#requests.values()].reduce((sum, count) => sum + count - 1, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const portOf = (address: AddressInfo | string | null): number => {
  if (typeof address === 'object' && address !== null) return address.port;
  throw new Error(`a listening server has a port, not ${String(address)}`);
};
