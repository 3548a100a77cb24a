/**
 * HTTP requests with as little client around them as possible: node:http on connections that stay open. The client runs
 * on the same cores as what it measures, so what it costs is taken from the figures.
 */
import { Agent, request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';

// The server closes a connection that was idle for 5 s or a little more. A request that is sent in that moment fails though
// nothing is wrong, so the client closes it first. It repeats no request: a failure is to be seen.
const idleMsMax = 2_000;

/** An open set of connections to one server; close it by its disposer. */
export class HttpCaller implements Disposable {
  readonly #url: string;
  readonly #agent: Agent;

  /** @param url base URL, without a slash at its end */
  constructor(url: string, connections: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: idleMsMax });
  }

  get(path: string): Promise<unknown> {
    return this.#send('GET', path);
  }

  /** Sends `body` as JSON. */
  post(path: string, body: unknown): Promise<unknown> {
    return this.#send('POST', path, Buffer.from(JSON.stringify(body)));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(method: string, path: string, body?: Uint8Array): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = body ? { 'content-type': 'application/json', 'content-length': body.length } : {};
    const sent = request(`${this.#url}${path}`, { method, agent: this.#agent, headers }, resolve);
    sent.on('error', reject);
    sent.end(body);
    const response = await promise;
    const text = (await buffer(response)).toString();
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw new Error(`${method} ${path} got ${statusCode}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}
