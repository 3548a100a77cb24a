/** Backups of a control plane that works meanwhile, and the doctor, by the real command line. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { createClient } from '@mvm-ci/client';
import { ReadyProcess } from '@mvm-ci/testkit';
import { mvmCi } from './command.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;

class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'mvm-ci-backup-')));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

describe('a backup', () => {
  it('holds a moment of a control plane that works, and a restored one goes on from there under the same ticket', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using folder = await Folder.make();
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('probe');
    const input = { url: 'http://127.0.0.1:9', times: 0, pauseMs: 0 };
    const first = await scene.publish(Array.from({ length: 50 }, () => ({ workflow: 'probe/keepAsking', input })));
    await scene.allEnded(first, signal);
    const publishing = scene.publish(Array.from({ length: 500 }, () => ({ payload: 1 })));
    const file = join(folder.path, 'backup.db');
    const made = await mvmCi(['backup', file, '--data', scene.cluster.data, '--json'], signal);
    assert.equal(made.code, 0, made.stderr);
    await publishing;
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder.path), ['backup.db']);
    const again = await mvmCi(['backup', file, '--data', scene.cluster.data], signal);
    assert.deepEqual([again.code, /give --force/.test(again.stderr)], [2, true], again.stderr);
    assert.equal((await mvmCi(['doctor', file], signal)).code, 0);

    const data = join(folder.path, 'restored');
    const restored = await mvmCi(['restore', file, '--data', data, '--json'], signal);
    assert.equal(restored.code, 0, restored.stderr);
    const taken = await mvmCi(['restore', file, '--data', data], signal);
    assert.match(taken.stderr, /is not empty/);
    await scene.cluster.controlPlane.kill();
    const args = ['control-plane', '--data', data, '--http', '127.0.0.1:0', '--flawless', 'off'];
    await using plane = await ReadyProcess.start({ args });
    const client = createClient({ url: plane.field('http') });
    const jobs = await Promise.all(first.map((id) => client.status(id)));
    assert.ok(jobs.every(({ status }) => status === 'completed'));
    // The worker finds it by the ticket that it has: node, ports and tokens are the same.
    const { job_id: id } = await client.publish({ workflow: 'probe/keepAsking', input });
    assert.equal((await client.wait(id, { signal })).status, 'completed');
  });
});

describe('the doctor', () => {
  it('finds nothing in a sound database, also while it is written, and names what was damaged', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('probe');
    const input = { url: 'http://127.0.0.1:9', times: 0, pauseMs: 0 };
    const ids = await scene.publish(Array.from({ length: 20 }, () => ({ workflow: 'probe/keepAsking', input })));
    const running = await mvmCi(['doctor', '--data', scene.cluster.data, '--json'], signal);
    assert.equal(running.code, 0, running.stdout);
    await scene.allEnded(ids, signal);
    await scene.cluster.controlPlane.kill();
    const [result, journal, counted] = ids;
    using db = new DatabaseSync(join(scene.cluster.data, 'control.db'));
    db.prepare(`UPDATE jobs SET result = '"other"' WHERE id = ?`).run(result ?? '');
    db.prepare('UPDATE journal SET bytes = ? WHERE job = (SELECT number FROM jobs WHERE id = ?)').run(
      new Uint8Array([1]),
      journal ?? '',
    );
    db.prepare('UPDATE jobs SET inbox_items = 3 WHERE id = ?').run(counted ?? '');
    db.exec("UPDATE counters SET value = value + 1 WHERE name = 'completed'");
    const found = await mvmCi(['doctor', '--data', scene.cluster.data, '--json'], signal);
    assert.equal(found.code, 1);
    const { findings } = JSON.parse(found.stdout) as {
      readonly findings: readonly { job: string | null; text: string }[];
    };
    assert.deepEqual(new Set(findings.map(({ job }) => job)), new Set([null, result, journal, counted]));
    assert.match(findings.find(({ job }) => job === result)?.text ?? '', /result does not match/);
    assert.match(findings.find(({ job }) => job === journal)?.text ?? '', /journal of attempt 1 is damaged/);
  });
});
