/**
 * Starts a control plane and a worker from the tree of an image, for the code that Node compiles: it is kept in the image, so that a machine
 * starts without compiling. It shows as well that the image has what a worker needs.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { asRoot, run, searchPath, UserError } from './command.ts';

const cache = 'app/.compile-cache';
/** Node keeps a folder for each user: its name ends with the number. */
const workerUser = 1000;
const data = 'tmp/control-plane';
const deadlineMs = 180_000;
const pollMs = 200;
const outputCharsMax = 4_000;

/** A program of ours that runs with the tree as its root. */
class InsideProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  output = '';

  constructor(tree: string, program: string, args: readonly string[]) {
    const inside = ['chroot', tree, '/usr/bin/node', `/app/packages/cli/bin/${program}.mjs`, ...args];
    this.#process = spawn('unshare', [...asRoot, ...inside], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: searchPath, NODE_ENV: 'production', NODE_COMPILE_CACHE: `/${cache}` },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', (bytes) => (this.output = (this.output + String(bytes)).slice(-outputCharsMax)));
  }

  /** Waits until something is so. @throws UserError with its output when it ends before, or takes too long */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!isSo()) {
      if (this.#process.exitCode !== null || performance.now() > deadline)
        throw new UserError(`${what} did not happen in the image:\n${this.output}`);
      await delay(pollMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

const runOnce = async (tree: string): Promise<void> => {
  const quiet = ['--flawless', 'off', '--engine', 'off', '--http', '127.0.0.1:0', '--bind', '127.0.0.1:0'];
  await using control = new InsideProcess(tree, 'mvm-ci', ['control-plane', '--data', `/${data}`, ...quiet]);
  const ticket = join(tree, data, 'endpoint.ticket');
  await control.until('the start of a control plane', () => existsSync(ticket));
  await using worker = new InsideProcess(tree, 'worker', ['--ticket', `/${data}/endpoint.ticket`]);
  await worker.until('the join of a worker', () => worker.output.includes('has joined'));
};

/** Leaves the compiled code in the tree, readable by the worker's user. */
export const warmUp = async (tree: string): Promise<void> => {
  await runOnce(tree);
  rmSync(join(tree, data), { recursive: true });
  for (const path of globSync(`${cache}/v*-*`, { cwd: tree }))
    renameSync(join(tree, path), join(tree, path.replace(/-\d+$/, `-${workerUser}`)));
  run('chmod', ['-R', 'a+rX', join(tree, cache)]);
};
