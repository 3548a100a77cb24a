import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { nodeKey } from '../src/node-key.ts';

describe('nodeKey', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mvm-ci-key-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes a key once, for its owner alone, and finds it again', () => {
    const data = join(folder, 'new');
    const key = nodeKey(data);
    assert.deepEqual([key.length, new Uint8Array(readFileSync(join(data, 'node.key')))], [32, key]);
    assert.equal(statSync(join(data, 'node.key')).mode & 0o777, 0o600);
    assert.deepEqual(nodeKey(data), key);
  });

  it('makes another key each time when there is no folder', () => {
    assert.notDeepEqual(nodeKey(undefined), nodeKey(undefined));
  });

  it('refuses a file that is no key', () => {
    writeFileSync(join(folder, 'node.key'), 'short');
    assert.throws(() => nodeKey(folder), { code: 'CONFIG_INVALID', message: /has 5 bytes, a key has 32/ });
  });
});
