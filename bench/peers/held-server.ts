/** A web server that holds every answer of a path back until it is let go, and says when requests came. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** See the head of this file; it closes when it is disposed of. */
export class HeldServer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #arrivedMs = new Map<string, number[]>();
  readonly #held = new Map<string, ServerResponse[]>();
  readonly #open = new Set<string>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', ({ url = '' }, response: ServerResponse) => {
      const name = url.slice(1);
      this.#arrivedMs.set(name, [...(this.#arrivedMs.get(name) ?? []), performance.now()]);
      if (this.#open.has(name)) response.writeHead(204).end();
      else this.#held.set(name, [...(this.#held.get(name) ?? []), response]);
      server.emit('arrival');
    });
  }

  static async start(): Promise<HeldServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address: AddressInfo | string | null = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('a listening server has a port');
    return new HeldServer(server, address.port);
  }

  /** Waits until `count` requests for `/name` have come. @returns when the last of them did, by `performance.now` */
  async arrivals(name: string, count: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      const at = this.#arrivedMs.get(name)?.[count - 1];
      if (at !== undefined) return at;
      await once(this.#server, 'arrival', { signal });
    }
  }

  /** Answers what waits for `/name`, and from now on at once. */
  letGo(name: string): void {
    this.#open.add(name);
    for (const response of this.#held.get(name) ?? []) response.writeHead(204).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
