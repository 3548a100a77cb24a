import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeModule, encodeModule, moduleHash, type ModuleFile } from '@mvm-ci/protocol';

const module: ModuleFile = {
  kind: 'javascript',
  runtime: 'quickjs-ng/0.32.0',
  workflows: ['crawler'],
  code: new TextEncoder().encode('globalThis.x = 1;'),
  sourceMap: new Uint8Array(),
};

describe('module files', () => {
  it('come back as they were written', () => {
    const read = decodeModule(encodeModule(module));
    assert.deepEqual(
      { ...read, code: [...read.code], sourceMap: [...read.sourceMap] },
      { ...module, code: [...module.code], sourceMap: [] },
    );
  });

  it('have the same hash for the same content and another one for any other', () => {
    const hash = moduleHash(encodeModule(module));
    assert.match(hash, /^[0-9a-f]{64}$/);
    assert.equal(moduleHash(encodeModule({ ...module })), hash);
    assert.notEqual(moduleHash(encodeModule({ ...module, runtime: 'quickjs-ng/0.33.0' })), hash);
  });

  it('are refused as MODULE_INVALID when they are something else', () => {
    for (const bytes of [new Uint8Array(), new Uint8Array([0, 0x61, 0x73, 0x6d]), new TextEncoder().encode('{}')]) {
      assert.throws(() => decodeModule(bytes), { code: 'MODULE_INVALID', message: /mvm-ci build/ });
    }
    assert.throws(() => decodeModule(encodeModule({ ...module, workflows: [] })), { code: 'MODULE_INVALID' });
  });
});
