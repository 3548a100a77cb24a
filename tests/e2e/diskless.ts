/**
 * A worker's process without a disk: Node refuses it every write to a file, and all places where a program usually puts
 * some are one empty folder.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterOptions } from '@mvm-ci/testkit';

/** No `--allow-fs-write` among them: a write throws ERR_ACCESS_DENIED. */
const permissions = '--permission --allow-fs-read=* --allow-addons --allow-worker --allow-net --no-warnings';

/** The empty folder that such workers share. */
export class Diskless implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async prepare(): Promise<Diskless> {
    return new Diskless(await mkdtemp(join(tmpdir(), 'mvm-ci-diskless-')));
  }

  /** What makes a cluster's workers diskless. */
  get options(): Pick<ClusterOptions, 'workerEnv' | 'workerCwd'> {
    const env = { NODE_OPTIONS: permissions, HOME: this.#folder, TMPDIR: this.#folder, XDG_CACHE_HOME: this.#folder };
    return { workerEnv: env, workerCwd: this.#folder };
  }

  /** What was written all the same (an addon is beyond Node's permissions). */
  written(): Promise<readonly string[]> {
    return readdir(this.#folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
