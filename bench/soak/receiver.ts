/** The receiver of a soak's effects: answers at once and counts repeats, with memory only for the jobs that are running. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on this machine; it closes when it is disposed of. */
export class Receiver implements AsyncDisposable {
  readonly #server: Server;
  /** Requests by job, each by its key. */
  readonly #running = new Map<string, Map<string, number>>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const key = request.headers['idempotency-key']?.toString() ?? '';
      const job = key.slice(0, key.indexOf(':'));
      const keys = this.#running.get(job) ?? new Map<string, number>();
      this.#running.set(job, keys.set(key, (keys.get(key) ?? 0) + 1));
      response.writeHead(204).end();
    });
  }

  static async start(): Promise<Receiver> {
    const started = new Receiver();
    started.#server.listen(0, '127.0.0.1');
    await once(started.#server, 'listening');
    return started;
  }

  get url(): string {
    const address: AddressInfo | string | null = this.#server.address();
    if (typeof address === 'object' && address !== null) return `http://127.0.0.1:${address.port}/`;
    throw new Error(`a listening server has a port, not ${String(address)}`);
  }

  /** Forgets a job that has ended. @returns how many requests it had sent, and how many of them again */
  settle(job: string): { readonly requests: number; readonly repeated: number } {
    const counts = [...(this.#running.get(job)?.values() ?? [])];
    this.#running.delete(job);
    const requests = counts.reduce((sum, count) => sum + count, 0);
    return { requests, repeated: requests - counts.length };
  }

  /** Requests of jobs that had ended before. */
  get late(): number {
    return [...this.#running.keys()].reduce((sum, job) => sum + this.settle(job).requests, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
