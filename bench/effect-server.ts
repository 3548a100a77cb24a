/** The receiver of a cluster's effects: answers at once, and counts requests by their key, with memory only for jobs that aren't settled. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a job has sent. */
interface Requests {
  readonly count: number;
  /** How many of them had come before. */
  readonly repeated: number;
}

/** A server on this machine; it closes when it is disposed of. */
export class EffectServer implements AsyncDisposable {
  readonly #server: Server;
  /** Requests by job, each by its key (`<job>:<attempt>:<call>`). */
  readonly #requests = new Map<string, Map<string, number>>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const key = request.headers['idempotency-key']?.toString() ?? '';
      const job = key.slice(0, key.indexOf(':'));
      const keys = this.#requests.get(job) ?? new Map<string, number>();
      this.#requests.set(job, keys.set(key, (keys.get(key) ?? 0) + 1));
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

  /** Takes account of a job that has ended, and forgets it: what it sends from now on is counted anew. */
  settle(job: string): Requests {
    const counts = [...(this.#requests.get(job)?.values() ?? [])];
    this.#requests.delete(job);
    const count = counts.reduce((sum, each) => sum + each, 0);
    return { count, repeated: count - counts.length };
  }

  /** Takes account of all jobs that aren't settled. */
  settleAll(): Requests {
    const all = [...this.#requests.keys()].map((job) => this.settle(job));
    return all.reduce((sum, { count, repeated }) => ({ count: sum.count + count, repeated: sum.repeated + repeated }), {
      count: 0,
      repeated: 0,
    });
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
