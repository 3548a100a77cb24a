/**
 * A temporary folder that goes with its process, also when that is killed.
 *
 * Owns the folder and a shell that removes it. The shell waits for the end of a pipe: that comes when the folder is disposed of, and when
 * the process is gone, however it ended.
 *
 * 1. When the disposal returns the folder is gone.
 * 2. Ctrl-C does not reach the shell, which is in a session of its own.
 * 3. Without a shell on the machine, only the disposal removes it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Other processes of the same owner may write a last file while it is removed: they end meanwhile, and it is tried again.
const script = 'cat; tries=0; until rm -rf -- "$0" || [ $((tries += 1)) -ge 60 ]; do sleep 1; done';

/** See the head of this file. */
export class ScratchFolder implements AsyncDisposable {
  readonly path: string;
  readonly #remover: ChildProcess;
  readonly #removed: Promise<unknown>;

  private constructor(path: string) {
    this.path = path;
    this.#remover = spawn('sh', ['-c', script, path], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    this.#removed = once(this.#remover, 'exit').catch(() => undefined);
    this.#remover.stdin?.on('error', () => undefined);
  }

  /**
   * Makes an empty one; its name begins with `prefix`.
   *
   * @param parent where, @default the system's folder for temporary files
   */
  static async make(prefix: string, parent: string = tmpdir()): Promise<ScratchFolder> {
    return new ScratchFolder(await mkdtemp(join(parent, prefix)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#remover.stdin?.end();
    await this.#removed;
    await rm(this.path, { recursive: true, force: true });
  }
}
