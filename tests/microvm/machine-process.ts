/**
 * One microVM, started by the program behind scripts/run-microvm as a user would start it. Owns the process: it, and the machine with it, are
 * gone when this is disposed of.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../scripts/microvm/run.ts', import.meta.url));

/** What a machine is started with. */
export interface MachineOptions {
  readonly name: string;
  readonly ticket: string;
  /** What scripts/build-worker-image made. */
  readonly image: string;
  /** Of its console. */
  readonly logs: string;
}

/** A machine that starts, runs or has ended. */
export class MachineProcess implements AsyncDisposable {
  readonly name: string;
  readonly #console: string;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #exited: Promise<unknown>;

  constructor({ name, ticket, image, logs }: MachineOptions) {
    this.name = name;
    this.#console = join(logs, `${name}.log`);
    const flags = ['--accel', 'tcg', '--name', name, '--image', image, '--logs', logs, '--cpus', '1', '--grace', '1'];
    this.#process = spawn(process.execPath, [program, ...flags, '--', '--slots', '1'], {
      stdio: ['ignore', 'pipe', 2],
      env: { ...process.env, CONTROL_PLANE_TICKET: ticket },
    });
    this.#exited = once(this.#process, 'exit').then(() => this.#wake());
    if (this.#process.stdout)
      createInterface({ input: this.#process.stdout }).on('line', (line) => {
        this.#lines.push(line);
        this.#wake();
      });
  }

  /** Waits until its worker has joined. @throws with its console when it ends before */
  async joined(): Promise<void> {
    await this.#said(/ joined after /);
  }

  /** Presses the power button. @returns the exit code */
  async powerDown(): Promise<number | null> {
    this.#process.kill('SIGTERM');
    await this.#exited;
    return this.#process.exitCode;
  }

  /** Kills the machine, as a power cut would. @returns the exit code of what has started it */
  async cutPower(): Promise<number | null> {
    const pid = Number((await this.#said(/ starts: pid (\d+)/))[1]);
    process.kill(pid, 'SIGKILL');
    await this.#exited;
    return this.#process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) await this.cutPower();
  }

  async #said(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.#lines) {
        const found = pattern.exec(line);
        if (found) return found;
      }
      if (this.#process.exitCode !== null) throw new Error(`${this.name} has ended:\n${this.#told()}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #told(): string {
    return `${this.#lines.join('\n')}\n${readFileSync(this.#console, 'utf8').slice(-4_000)}`;
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
