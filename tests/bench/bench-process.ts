/** A bench in a process of its own, with a folder of its own for temporary files, so that what it leaves is seen. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** How a bench ended. */
export interface BenchEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program of a bench. */
export const benchMain = (name: string): string =>
  fileURLToPath(new URL(`../../bench/${name}/main.ts`, import.meta.url));

/** A running bench, with the smallest load. */
export class BenchProcess implements Disposable {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly ended: Promise<BenchEnd>;

  /** @param main the path of its program */
  constructor(main: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'mvm-ci-bench-test-'));
    // A server of another user has its data in there.
    chmodSync(this.folder, 0o711);
    const child = spawn(process.execPath, [main, '--smallest', ...args], {
      // Its home too: a bench finds nothing in a cache that an earlier run filled.
      env: { ...process.env, TMPDIR: this.folder, HOME: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
      ([, stdout, stderr]) => ({ code: child.exitCode, stdout, stderr }),
    );
  }

  /** What is left in its folder for temporary files. */
  get leftFiles(): readonly string[] {
    // Node keeps compiled code there for the next run of the same program, wherever that is.
    return readdirSync(this.folder).filter((name) => name !== 'node-compile-cache');
  }

  /** Command lines of processes that work on its files. */
  get leftProcesses(): readonly string[] {
    const all = execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' });
    return all.split('\n').filter((line) => line.includes(this.folder));
  }

  [Symbol.dispose](): void {
    this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
