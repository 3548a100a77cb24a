import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';

/** A real server that receives effects, and counts them by their `Idempotency-Key`. */
export class Receiver implements AsyncDisposable {
  readonly #server: Server;
  readonly #held: ServerResponse[] = [];
  #arrived = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  /** Keys in the order of their arrival. */
  readonly keys: string[] = [];
  /** Requests that were held and that their senders have given up. */
  abandoned = 0;
  /** Keeps back the answers. */
  isHolding = false;
  /** Bytes of each answer's body. @default 2 */
  answerBytes = 2;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      request.resume();
      receiver.#arrive(String(request.headers['idempotency-key']), response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  /** Its base URL, without a slash at the end. */
  get url(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  }

  /** How often effects of `job` arrived, by key. */
  arrivals(job: string): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const key of this.keys) if (key.startsWith(`${job}:`)) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  }

  /** Resolves when `count` effects of `job` have arrived. */
  async received(job: string, count: number): Promise<void> {
    while (this.keys.filter((key) => key.startsWith(`${job}:`)).length < count) await this.#arrived.promise;
  }

  /** Resolves when the sender of a request that is held gives it up. */
  gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Answers what is held, and holds no more. */
  release(): void {
    this.isHolding = false;
    for (const response of this.#held.splice(0)) this.#answer(response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #arrive(key: string, response: ServerResponse): void {
    this.keys.push(key);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
    if (this.isHolding) this.#hold(response);
    else this.#answer(response);
  }

  #hold(response: ServerResponse): void {
    this.#held.push(response);
    response.once('close', () => {
      if (response.writableEnded) return;
      this.abandoned += 1;
      this.#gone.resolve();
    });
  }

  #answer(response: ServerResponse): void {
    response.end('x'.repeat(this.answerBytes));
  }
}
