/** A disk that answers EIO: a library that is preloaded into a real process makes the calls of SQLite fail. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { after, suite, test } from 'node:test';
import { openDatabase } from '../../src/store/database.ts';
import { examine } from '../../src/store/examination.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const program = new URL('./fixtures/publish-what-is-asked.ts', import.meta.url).pathname;
const source = new URL('./fixtures/failing-disk.c', import.meta.url).pathname;

const compiled = (library: string): string | false => {
  if (process.platform !== 'linux') return 'libraries are preloaded on Linux only';
  const { status } = spawnSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  return status === 0 ? false : 'there is no gcc';
};

/** A process that publishes, on a disk that can be made to fail. */
class Publisher implements AsyncDisposable {
  readonly database: string;
  readonly #switch: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;

  constructor(folder: string, library: string) {
    this.database = join(folder, 'control.db');
    this.#switch = join(folder, 'switch');
    const env = { ...process.env, LD_PRELOAD: library, FAILING_DISK_SWITCH: this.#switch };
    const args = [program, this.database];
    this.#child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  fail(call: 'write' | 'sync'): void {
    writeFileSync(this.#switch, call);
  }

  mend(): void {
    rmSync(this.#switch);
  }

  /** @returns `ok`, or the error */
  async publish(id: string): Promise<string> {
    this.#child.stdin.write(`${id}\n`);
    const answer = await this.#answers.next();
    assert.ok(answer.done !== true, 'the process ended');
    return answer.value.slice(id.length + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
    this.#lines.close();
  }
}

const tools = new TemporaryFolder();
after(() => tools[Symbol.dispose]());
const library = join(tools.path, 'failing-disk.so');

suite('a disk that fails', { skip: compiled(library) }, () => {
  for (const call of ['write', 'sync'] as const) {
    test(`at a ${call} is told to the caller, takes nothing that was acknowledged, and is used again once it works`, async () => {
      using folder = new TemporaryFolder();
      await using publisher = new Publisher(folder.path, library);
      assert.equal(await publisher.publish('before'), 'ok');
      publisher.fail(call);
      for (const id of ['refused', 'refused-too']) {
        assert.match(await publisher.publish(id), /^UNAVAILABLE .*the disk fails: look at the file system/);
      }
      publisher.mend();
      for (const id of ['after', 'later']) assert.equal(await publisher.publish(id), 'ok');
      await publisher[Symbol.asyncDispose]();
      using db = openDatabase(publisher.database);
      const found = db.prepare('SELECT id FROM jobs ORDER BY number').all();
      assert.deepEqual(
        found.map(({ id }) => id),
        ['before', 'after', 'later'],
      );
      assert.deepEqual(examine(db).findings, []);
    });
  }
});
