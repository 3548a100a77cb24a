/**
 * Engine servers of a cluster, each a process of its own on a port of its own: one shared engine, or a pool.
 *
 * Owns the processes. A server that is started again gets its old address, as under any supervisor.
 */
import { ReadyProcess } from './ready-process.ts';

/** Running engine servers. */
export class EngineServers implements AsyncDisposable {
  /** By base URL; undefined while a server is down. */
  readonly #servers = new Map<string, ReadyProcess | undefined>();
  readonly #args: readonly string[];

  private constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** Starts `count` servers side by side. @param args more arguments for each `mvm-ci flawless` */
  static async start(count: number, args: readonly string[] = []): Promise<EngineServers> {
    const servers = new EngineServers(args);
    try {
      await Promise.all(Array.from({ length: count }, () => servers.#start('127.0.0.1:0')));
      return servers;
    } catch (error) {
      await servers[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Base URLs of all servers, also of those that are down. */
  get urls(): readonly string[] {
    return [...this.#servers.keys()];
  }

  /** The servers that are up. */
  get running(): readonly ReadyProcess[] {
    return [...this.#servers.values()].filter((server) => server !== undefined);
  }

  /** Kills a server as a power cut would. */
  async kill(server: ReadyProcess): Promise<void> {
    this.#servers.set(server.field('http'), undefined);
    await server.kill();
  }

  /** Asks a server to drain and waits for its end. @returns the exit code */
  async stop(server: ReadyProcess): Promise<number | NodeJS.Signals> {
    const code = await server.stop();
    this.#servers.set(server.field('http'), undefined);
    return code;
  }

  /** Starts every server that is down again, where it was. */
  async restart(): Promise<void> {
    const down = [...this.#servers].filter(([, server]) => server === undefined);
    await Promise.all(down.map(([url]) => this.#start(new URL(url).host)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.running.map((server) => server.kill()));
  }

  async #start(http: string): Promise<void> {
    const server = await ReadyProcess.start({
      args: ['flawless', 'up', '--jobs', 'off', '--http', http, ...this.#args],
    });
    this.#servers.set(server.field('http'), server);
  }
}
