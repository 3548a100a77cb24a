import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { moduleHash, mvmError } from '@mvm-ci/protocol';
import { ModuleDesk } from '../../src/link/module-desk.ts';

const file = new TextEncoder().encode('a module');
const hash = moduleHash(file);
const { signal } = new AbortController();

describe('ModuleDesk', () => {
  it('asks one of the runs that need a module, and not the others', async () => {
    const desk = new ModuleDesk();
    const asked: string[] = [];
    for (const name of ['first', 'second'])
      desk.offer(hash, () => {
        asked.push(name);
        return Promise.resolve(file);
      });
    assert.deepEqual(await desk.source(hash, { signal }), file);
    assert.deepEqual(asked, ['first']);
  });

  it('asks the next one when the one that it asked is gone', async () => {
    const desk = new ModuleDesk();
    desk.offer(hash, () => Promise.reject(mvmError('CONNECTION_LOST', 'gone')));
    desk.offer(hash, () => Promise.resolve(file));
    assert.deepEqual(await desk.source(hash, { signal }), file);
  });

  it('takes no other file than the one that was asked for, from whomever', async () => {
    const desk = new ModuleDesk();
    desk.offer(hash, () => Promise.resolve(new Uint8Array([1])));
    await assert.rejects(desk.source(hash, { signal }), { code: 'MODULE_INVALID' });
    desk.offer(hash, () => Promise.resolve(file));
    assert.deepEqual(await desk.source(hash, { signal }), file);
  });

  it('believes a holder that says that there is no such module', async () => {
    const desk = new ModuleDesk();
    desk.offer(hash, () => Promise.reject(mvmError('MODULE_NOT_FOUND', 'none')));
    await assert.rejects(desk.source(hash, { signal }), { code: 'MODULE_NOT_FOUND' });
  });

  it('says that it may come later when nobody is left who needs it', async () => {
    const desk = new ModuleDesk();
    const takeBack = desk.offer(hash, () => Promise.resolve(file));
    takeBack();
    takeBack();
    await assert.rejects(desk.source(hash, { signal }), { code: 'UNAVAILABLE' });
  });
});
