/** A worker of handlers in a process of its own: the example `examples/11-handlers`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../examples/11-handlers/src/handlers.ts', import.meta.url));

/** See the head of this file. */
export class HandlerProcess implements AsyncDisposable {
  /** The name, or node id, under which it holds jobs. */
  readonly node: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | NodeJS.Signals>;

  private constructor(child: ChildProcess, node: string, exited: Promise<number | NodeJS.Signals>) {
    this.#child = child;
    this.node = node;
    this.#exited = exited;
  }

  /** Starts one, by the URL of its control plane or by a ticket, and waits until it has joined. */
  static async start(where: { readonly url: string } | { readonly ticket: string }): Promise<HandlerProcess> {
    const args = 'url' in where ? [where.url] : [];
    const env = 'ticket' in where ? { ...process.env, CONTROL_PLANE_TICKET: where.ticket } : process.env;
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = exitOf(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const { node } = JSON.parse(line) as { readonly node: string };
      return new HandlerProcess(child, node, exited);
    }
    throw new Error(`the handlers ended before they were ready: ${await exited}`);
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to drain. @returns its exit code */
  async drain(): Promise<number | NodeJS.Signals> {
    this.#child.kill('SIGTERM');
    return this.#exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

const exitOf = async (child: ChildProcess): Promise<number | NodeJS.Signals> => {
  await once(child, 'exit');
  return child.signalCode ?? child.exitCode ?? 0;
};
