/**
 * One microVM under QEMU. Owns the process and the file of its console; the image, and what is on its settings disk, are others'.
 *
 * 1. `closed` resolves once, when the process is gone, with what the worker ended with if the machine has told.
 * 2. The power button is pressed until the machine is gone: a guest that still boots doesn't see it.
 * 3. A machine that outlives its stop time is killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { qemuArguments, type QemuMachine } from './machine.ts';

/** How a machine ended. */
export interface MachineEnd {
  /** The worker's exit code; undefined when the machine did not get to tell. */
  readonly workerCode: number | undefined;
  /** What QEMU said, or the signal that ended it. */
  readonly reason: string;
}

const qemu = 'qemu-system-x86_64';
const pressAgainMs = 3_000;
const errorBytesMax = 4_000;
const joined = /^worker .* has joined/;
const ended = /^mvm-ci: the worker ended with (\d+)/;
const commands = ['qmp_capabilities', 'system_powerdown'].map((execute) => `${JSON.stringify({ execute })}\n`).join('');

/** A machine that runs. */
export class VirtualMachine {
  readonly closed: Promise<MachineEnd>;
  readonly #monitor: string;
  readonly #process: ChildProcess;
  readonly #console: WriteStream;
  #workerCode: number | undefined;
  #errors = '';
  #isStopping = false;

  /** @param consolePath the file that gets what the guest writes @param onJoin called when the worker has joined */
  constructor(machine: QemuMachine, consolePath: string, onJoin: () => void) {
    this.#monitor = machine.monitor;
    this.#console = createWriteStream(consolePath, { mode: 0o600 });
    // Detached: Ctrl-C reaches the whole foreground group, and QEMU would end without its guest being asked.
    this.#process = spawn(qemu, qemuArguments(machine), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#process.stderr?.on('data', (bytes) => (this.#errors = (this.#errors + bytes).slice(-errorBytesMax)));
    this.#readConsole(onJoin);
    this.closed = this.#waitForEnd();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Presses the power button: the worker drains, and the machine ends. Further calls do nothing. */
  async powerDown(timeoutMs: number): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const press = setInterval(() => this.#press(), pressAgainMs);
    const kill = setTimeout(() => this.kill(), timeoutMs);
    this.#press();
    await this.closed;
    clearInterval(press);
    clearTimeout(kill);
  }

  /** Ends the machine as when its power fails. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #press(): void {
    const socket = connect(this.#monitor);
    // It is not there before QEMU is up, and not when it is gone.
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.end(commands));
    socket.resume();
  }

  #readConsole(onJoin: () => void): void {
    const { stdout } = this.#process;
    if (!stdout) return;
    stdout.pipe(this.#console);
    createInterface({ input: stdout }).on('line', (line) => {
      const code = ended.exec(line)?.[1];
      if (code !== undefined) this.#workerCode = Number(code);
      else if (joined.test(line)) onJoin();
    });
  }

  #waitForEnd(): Promise<MachineEnd> {
    return new Promise((resolve) => {
      const end = (reason: string): void => resolve({ workerCode: this.#workerCode, reason });
      this.#process.on('error', (error) => end(`${qemu} can't be run: ${error.message}`));
      this.#process.on('close', (code, signal) =>
        end(this.#errors.trim() || `QEMU ended by ${signal ?? `code ${code}`}`),
      );
    });
  }
}
