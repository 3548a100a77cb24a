import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { nodeKey, workerKey } from '../src/node-key.ts';

const silent = (): void => undefined;

describe('nodeKey', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mvm-ci-key-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes a key once, for its owner alone, and finds it again', () => {
    const data = join(folder, 'new');
    const key = nodeKey(data, silent);
    assert.deepEqual([key.length, new Uint8Array(readFileSync(join(data, 'node.key')))], [32, key]);
    assert.equal(statSync(join(data, 'node.key')).mode & 0o777, 0o600);
    assert.deepEqual(nodeKey(data, silent), key);
  });

  it('makes another key each time when there is no folder', () => {
    assert.notDeepEqual(nodeKey(undefined, silent), nodeKey(undefined, silent));
  });

  it('takes a key that others can read away from them, and says so', () => {
    const key = nodeKey(folder, silent);
    const path = join(folder, 'node.key');
    chmodSync(path, 0o644);
    const warnings: string[] = [];
    assert.deepEqual(
      nodeKey(folder, (text) => warnings.push(text)),
      key,
    );
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(warnings.join(), /node\.key had the mode 644: others on this machine could read/);
  });

  it('refuses a file that is no key', () => {
    writeFileSync(join(folder, 'node.key'), 'short');
    assert.throws(() => nodeKey(folder, silent), { code: 'CONFIG_INVALID', message: /has 5 bytes, a key has 32/ });
  });
});

describe('workerKey', () => {
  it('gives the key of a folder to one worker at a time', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-own-'));
    const first = workerKey(folder, silent);
    assert.throws(() => workerKey(folder, silent), {
      code: 'CONFIG_INVALID',
      message: /another worker uses the data folder/,
    });
    first[Symbol.dispose]();
    const second = workerKey(folder, silent);
    assert.deepEqual(second.bytes, first.bytes);
    second[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
});
