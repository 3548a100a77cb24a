/**
 * HTTP requests with as little client around them as possible: node:http on connections that stay open. The client runs
 * on the same cores as what it measures, so what it costs is taken from the figures.
 */
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** An open set of connections to one server; close it by its disposer. */
export class HttpCaller implements Disposable {
  readonly #url: string;
  readonly #agent: Agent;

  /** @param url base URL, without a slash at its end */
  constructor(url: string, connections: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
  }

  async get(path: string): Promise<unknown> {
    return (await this.#send('GET', path)).body;
  }

  /** A page of a list, and the `after` of the next one; undefined on the last. */
  async page(path: string): Promise<{ readonly body: unknown; readonly next: string | undefined }> {
    const { body, headers } = await this.#send('GET', path);
    return { body, next: headers['x-next']?.toString() };
  }

  /** Sends `body` as JSON. */
  async post(path: string, body: unknown): Promise<unknown> {
    const bytes = Buffer.from(JSON.stringify(body));
    return (await this.#send('POST', path, { type: 'application/json', bytes })).body;
  }

  /** Sends bytes as they are. */
  async upload(path: string, bytes: Uint8Array): Promise<void> {
    await this.#send('POST', path, { type: 'application/octet-stream', bytes });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(method: string, path: string, body?: Body): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = body && { 'content-type': body.type, 'content-length': body.bytes.length };
    const sent = request(`${this.#url}${path}`, { method, agent: this.#agent, ...(headers && { headers }) }, resolve);
    sent.on('error', reject);
    sent.end(body?.bytes);
    const response = await promise;
    const text = (await buffer(response)).toString();
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw new Error(`${method} ${path} got ${statusCode}: ${text}`);
    return { body: text === '' ? undefined : JSON.parse(text), headers: response.headers };
  }
}

interface Body {
  readonly type: string;
  readonly bytes: Uint8Array;
}

interface Answer {
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
}
