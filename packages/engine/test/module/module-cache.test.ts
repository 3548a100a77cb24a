import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeModule, moduleHash, mvmError } from '@mvm-ci/protocol';
import type { LoadedModule } from '../../src/module/loaded-module.ts';
import { ModuleCache, type ModuleSource } from '../../src/module/module-cache.ts';
import { compileQuickjs, guestRuntimes } from '../../src/system-quickjs.ts';
import { scriptModule } from '@mvm-ci/testkit';

const never = new AbortController().signal;
const files = ['1', '2', '3'].map((text) => encodeModule(scriptModule(`// ${text.repeat(1_000)}`)));
const [a = '', b = '', c = ''] = files.map(moduleHash);

const open = (source: ModuleSource, bytesMax?: number): { cache: ModuleCache; evicted: LoadedModule[] } => {
  const evicted: LoadedModule[] = [];
  const onEvicted = (module: LoadedModule): void => void evicted.push(module);
  const cache = new ModuleCache({
    source,
    guestRuntimes,
    compileRuntime: compileQuickjs,
    memoryBytesMax: 65_536,
    onEvicted,
    bytesMax,
  });
  return { cache, evicted };
};
const shelf =
  (asked: string[]): ModuleSource =>
  (hash) => {
    asked.push(hash);
    const file = files.find((bytes) => moduleHash(bytes) === hash);
    return file ? Promise.resolve(file) : Promise.reject(mvmError('MODULE_NOT_FOUND', 'no such module'));
  };

describe('the module cache', () => {
  it('loads a module once for all who ask at the same time and later', async () => {
    const asked: string[] = [];
    const { cache } = open(shelf(asked));
    const [first, second] = await Promise.all([cache.get(a, never), cache.get(a, never)]);
    assert.equal(first, second);
    assert.equal(await cache.get(a, never), first);
    assert.deepEqual(asked, [a]);
  });

  it('drops the module that was not used for longest when it is full', async () => {
    const asked: string[] = [];
    const { cache, evicted } = open(shelf(asked), 2_500);
    const first = await cache.get(a, never);
    const second = await cache.get(b, never);
    await cache.get(a, never);
    await cache.get(c, never);
    assert.deepEqual(evicted, [second]);
    assert.equal(await cache.get(a, never), first);
  });

  it('refuses a file that has another hash than was asked for, and asks again the next time', async () => {
    let file = files[1] ?? new Uint8Array();
    const { cache } = open(() => Promise.resolve(file));
    await assert.rejects(cache.get(a, never), { code: 'MODULE_INVALID' });
    file = files[0] ?? new Uint8Array();
    assert.ok(await cache.get(a, never));
  });

  it('gives a load up when the last one who waits for it leaves', async () => {
    const given = Promise.withResolvers<void>();
    const { cache } = open((_hash, { signal }) => {
      signal.addEventListener('abort', () => given.resolve());
      return Promise.withResolvers<Uint8Array>().promise;
    });
    const [one, two] = [new AbortController(), new AbortController()];
    const waits = [cache.get(a, one.signal), cache.get(a, two.signal)];
    one.abort();
    two.abort();
    for (const wait of waits) await assert.rejects(wait, { code: 'CANCELLED' });
    await given.promise;
  });

  it('passes on why a module could not be had', async () => {
    await assert.rejects(open(shelf([])).cache.get('ff'.repeat(32), never), { code: 'MODULE_NOT_FOUND' });
  });
});
