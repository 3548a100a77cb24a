/** The server that jobs of a load test ask: answers at once, and counts the requests for each path. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mvmError } from '@mvm-ci/protocol';
import { loadLimits } from '../limits.ts';

const answer = 'x'.repeat(loadLimits.answerBytes);

/** See the head of this file. */
export class LoadSite implements AsyncDisposable {
  readonly #server: Server;
  readonly #requests: Map<string, number>;
  readonly #url: string;

  private constructor(server: Server, requests: Map<string, number>, { port }: AddressInfo) {
    this.#server = server;
    this.#requests = requests;
    this.#url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<LoadSite> {
    const requests = new Map<string, number>();
    const server = createServer(({ url = '' }, response) => {
      requests.set(url, (requests.get(url) ?? 0) + 1);
      response.setHeader('content-type', 'text/plain').end(answer);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw mvmError('INTERNAL', 'the site has no port');
    return new LoadSite(server, requests, address);
  }

  /** Pages of a job that nobody else asks for. */
  urlsOf(job: string, requests: number): readonly string[] {
    return Array.from({ length: requests }, (_, number) => `${this.#url}/${job}/${number}`);
  }

  /**
   * Forgets what it was asked.
   *
   * @returns requests beyond the first for the same page, by the job that the page is for
   */
  settle(): ReadonlyMap<string, number> {
    const repeated = new Map<string, number>();
    for (const [path, count] of this.#requests) {
      const [, job = ''] = path.split('/');
      if (count > 1) repeated.set(job, (repeated.get(job) ?? 0) + count - 1);
    }
    this.#requests.clear();
    return repeated;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
