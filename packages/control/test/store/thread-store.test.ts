import { defaultBackoff } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { contentHash } from '../../src/queue/content-hash.ts';
import { openThreadStore } from '../../src/store/thread-store.ts';
import type { PublishCommand } from '../../src/machine/command.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const content = { reference: null, input: '1', attemptsMax: 1, backoff: defaultBackoff };
const publish = (id: string): PublishCommand => ({
  type: 'publish',
  at: 1,
  jobs: [{ id, ...content, hash: contentHash(content) }],
  pendingJobsMax: 1_000,
});

suite('the store in its threads', () => {
  test('hands out the effects of a commit before its replies', async () => {
    using folder = new TemporaryFolder();
    const seen: string[] = [];
    const store = await openThreadStore({
      path: join(folder.path, 'control.db'),
      onEffects: (effects) => seen.push(`change ${effects.change}`),
    });
    await Promise.all(
      ['a', 'b'].map(async (id) => {
        await store.apply<'publish'>(publish(id));
        seen.push(`${id} answered`);
      }),
    );
    await store.close();
    assert.ok(seen.indexOf('change 1') < seen.indexOf('a answered'));
    assert.ok(seen.indexOf('change 2') < seen.indexOf('b answered'));
  });

  test('answers what was sent before it was closed, refuses what comes after, and closes twice', async () => {
    using folder = new TemporaryFolder();
    const store = await openThreadStore({ path: join(folder.path, 'control.db'), onEffects: () => {} });
    const sent = store.apply<'publish'>(publish('a'));
    await Promise.all([store.close(), store.close()]);
    assert.equal((await sent).jobs[0]?.created, true);
    await assert.rejects(store.apply<'publish'>(publish('b')), { code: 'UNAVAILABLE' });
    await assert.rejects(store.read<'job'>({ type: 'job', id: 'a' }), { code: 'UNAVAILABLE' });
  });

  test('reads what it has acknowledged', async () => {
    using folder = new TemporaryFolder();
    const store = await openThreadStore({ path: join(folder.path, 'control.db'), onEffects: () => {} });
    await store.apply<'publish'>(publish('a'));
    const { row } = await store.read<'job'>({ type: 'job', id: 'a' });
    await store.close();
    assert.equal(row?.state, 'pending');
  });

  test('refuses a database of a newer release', async () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'control.db');
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 999');
    db.close();
    await assert.rejects(openThreadStore({ path, onEffects: () => {} }), { code: 'CONFIG_INVALID' });
  });

  test('has everything that was acknowledged after a SIGKILL in the middle of writing (I2)', async () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'control.db');
    const fixture = new URL('./fixtures/publish-forever.ts', import.meta.url);
    const writer = spawn(process.execPath, [fixture.pathname, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const acknowledged: string[] = [];
    for await (const line of createInterface({ input: writer.stdout })) {
      acknowledged.push(line);
      if (acknowledged.length === 300) writer.kill('SIGKILL');
    }
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
    const store = await openThreadStore({ path, onEffects: () => {} });
    const { rows } = await store.read<'jobs'>({
      type: 'jobs',
      filter: {},
      before: null,
      limit: 1_000_000,
    });
    const { counters } = await store.read<'counters'>({ type: 'counters' });
    await store.close();
    const stored = new Set(rows.map((row) => row.id));
    assert.deepEqual(
      acknowledged.filter((id) => !stored.has(id)),
      [],
    );
    assert.equal(counters.pending, rows.length);
  });
});
