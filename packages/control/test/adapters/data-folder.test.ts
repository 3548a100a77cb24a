import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { DataFolder } from '../../src/adapters/data-folder.ts';
import { systemRandom } from '../../src/system-random.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

suite('the data folder', () => {
  test('takes secrets that others can read away from them, and says which', () => {
    using folder = new TemporaryFolder();
    const warnings: string[] = [];
    const open = (): DataFolder => DataFolder.open(folder.path, (text) => warnings.push(text));
    const first = open();
    const key = first.nodeKey(systemRandom);
    const token = first.joinToken(systemRandom);
    first[Symbol.dispose]();
    for (const name of ['node.key', 'join.token']) chmodSync(join(folder.path, name), 0o640);
    using again = open();
    assert.deepEqual([again.nodeKey(systemRandom), again.joinToken(systemRandom)], [key, token]);
    assert.equal(statSync(join(folder.path, 'node.key')).mode & 0o777, 0o600);
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? '', /node\.key had the mode 640/);
  });

  test('keeps its key and tokens, readable by their owner alone', () => {
    using temporary = new TemporaryFolder();
    const path = join(temporary.path, 'a', 'b');
    const read = (): readonly string[] => {
      using folder = DataFolder.open(path);
      return [folder.nodeKey(systemRandom).toHex(), folder.joinToken(systemRandom), folder.operatorToken(systemRandom)];
    };
    const first = read();
    assert.deepEqual(read(), first);
    assert.equal(new Set(first).size, 3);
    for (const name of ['node.key', 'join.token', 'operator.token']) {
      assert.equal(statSync(join(path, name)).mode & 0o777, 0o600);
    }
  });

  test('refuses a key that is none, rather than make a new node of it', () => {
    using temporary = new TemporaryFolder();
    writeFileSync(join(temporary.path, 'node.key'), 'not a key');
    using folder = DataFolder.open(temporary.path);
    assert.throws(() => folder.nodeKey(systemRandom), { code: 'CONFIG_INVALID' });
  });

  test('replaces the ticket at once and whole', () => {
    using temporary = new TemporaryFolder();
    using folder = DataFolder.open(temporary.path);
    folder.writeTicket('one');
    folder.writeTicket('two');
    assert.equal(readFileSync(folder.ticketPath, 'utf8'), 'two\n');
  });

  test('remembers the peer ports, and forgets what is damaged', () => {
    using temporary = new TemporaryFolder();
    using folder = DataFolder.open(temporary.path);
    assert.deepEqual(folder.peerPorts, {});
    folder.savePeerPorts({ ipv4: 4_000, ipv6: 4_001 });
    assert.deepEqual(folder.peerPorts, { ipv4: 4_000, ipv6: 4_001 });
    writeFileSync(join(temporary.path, 'peer-ports.json'), '{');
    assert.deepEqual(folder.peerPorts, {});
  });

  test('belongs to one process at a time', () => {
    using temporary = new TemporaryFolder();
    const first = DataFolder.open(temporary.path);
    assert.throws(() => DataFolder.open(temporary.path), { code: 'CONFIG_INVALID', message: /another process/ });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    DataFolder.open(temporary.path)[Symbol.dispose]();
  });

  test('is free again after a SIGKILL of the process that had it', async () => {
    using temporary = new TemporaryFolder();
    const fixture = new URL('./fixtures/hold-data-folder.ts', import.meta.url);
    const holder = spawn(process.execPath, [fixture.pathname, temporary.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    assert.throws(() => DataFolder.open(temporary.path), { code: 'CONFIG_INVALID' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    DataFolder.open(temporary.path)[Symbol.dispose]();
  });
});
