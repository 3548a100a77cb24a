import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry, ModuleFile } from '@mvm-ci/protocol';
import { moduleShelf, workflowModule } from '@mvm-ci/testkit';
import {
  admitModule,
  guestRuntime,
  guestRuntimes,
  MemoryJournal,
  openEngine,
  systemClock,
  systemRandom,
  type Engine,
  type Replayer,
} from '../src/index.ts';
import { EchoPerformer, openTestEngine, resultOf } from './fixtures/test-engine.ts';

const body = `
  const dates = [new Date(0).toString(), new Date(2026, 10, 26, 9, 30).toISOString(), typeof performance];
  for (let i = 0; i < 3; i++) { await get('http://site/' + i); await sleep(1); }
  return [dates, Math.random(), [3, 1, 2].toSorted(), 2n ** 70n + '', 'ß'.toLocaleUpperCase()];`;
const [, older = ''] = guestRuntimes;
const builtFor = (runtime: string): ModuleFile => ({ ...workflowModule(body), runtime });
const modules = { now: builtFor(guestRuntime), before: builtFor(older), never: builtFor('quickjs-ng/0.1.0') };

const open = async (): Promise<{ engine: Engine & Replayer; shelf: ReturnType<typeof moduleShelf> }> => {
  const shelf = moduleShelf(modules);
  const source = (hash: string): Promise<Uint8Array> => shelf.source(hash);
  const parts = { clock: systemClock, random: systemRandom, performer: new EchoPerformer(), threads: 1 };
  return { engine: await openEngine({ modules: source, ...parts }), shelf };
};

const startedOf = (entries: readonly JournalEntry[]): JournalEntry & { readonly kind: 'started' } => {
  const [first] = entries;
  assert.ok(first?.kind === 'started');
  return first;
};

describe('the runtimes of an engine', { timeout: 60_000 }, () => {
  it('are the current one and the ones before it', () => {
    assert.deepEqual(guestRuntimes, ['quickjs-ng/0.32.0', 'quickjs-ng/0.31.0']);
  });

  it('all run scripts to the same results, side by side', async () => {
    await using engine = await openTestEngine({ modules });
    const [now, before] = await Promise.all([engine.finish('now'), engine.finish('before')]);
    assert.equal(startedOf(now.entries).runtime, guestRuntime);
    assert.equal(startedOf(before.entries).runtime, older);
    const [results, others] = [resultOf(now.end), resultOf(before.end)];
    assert.ok(Array.isArray(results) && Array.isArray(others));
    assert.deepEqual(results.toSpliced(1, 1), others.toSpliced(1, 1));
    assert.equal(results[0][0], 'Thu Jan 01 1970 00:00:00 GMT+0000');
  });

  it('let a job that began with an older one go on with it, wherever its journal ends', async () => {
    await using engine = await openTestEngine({ modules });
    const { entries, end } = await engine.finish('before');
    for (let kept = 1; kept < entries.length; kept += 1) {
      const journal = new MemoryJournal(entries.slice(0, kept));
      const again = await engine.finish('before', { journal });
      assert.deepEqual(resultOf(again.end), resultOf(end), `from entry ${kept}`);
    }
  });

  it('are not exchanged for one another under a journal', async () => {
    const { engine, shelf } = await open();
    await using opened = engine;
    const journal = new MemoryJournal();
    const request = { job: 'j', attempt: 1, workflow: 'main' };
    const ports = { sink: journal.hold(), mayStartEffect: (): boolean => true };
    await opened.run({ ...request, module: shelf.hashOf('before'), input: '{}', journal: [] }, ports).ended;
    const same = await opened.replay({ ...request, module: shelf.hashOf('before'), journal: journal.entries });
    assert.deepEqual([same.compatible, same.steps], [true, 7]);
    const other = await opened.replay({ ...request, module: shelf.hashOf('now'), journal: journal.entries });
    assert.deepEqual(other.divergence, { entry: 0, recorded: `runtime ${older}`, asked: `runtime ${guestRuntime}` });
  });

  it('refuse a module that was built for one that is not installed, by its name', async () => {
    const wanted = { code: 'RUNTIME_NOT_INSTALLED', message: /"quickjs-ng\/0\.1\.0".*quickjs-ng\/0\.32\.0, quickjs/ };
    await assert.rejects(admitModule(modules.never), wanted);
    assert.deepEqual(await admitModule(modules.before), { workflows: ['main'] });
    await using engine = await openTestEngine({ modules });
    const { end } = await engine.finish('never');
    assert.ok(end.type === 'finished' && end.outcome.type === 'failed');
    assert.equal(end.outcome.error.code, 'RUNTIME_NOT_INSTALLED');
  });
});
